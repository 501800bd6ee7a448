/** Reads pictures by parts: all pixels of a large one at once would take four bytes each. */
import { afterTask } from "./stepping";
import { blank, type Mask, partOf, TILE, tilesIn, uniformValue } from "./tiles";

/** The context of a new canvas. `isRead`: its pixels are read more than they are shown. */
export function contextOf(width: number, height: number, isRead = true): CanvasRenderingContext2D {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: isRead });
  if (context === null) throw new Error("This browser cannot draw on a canvas.");
  return context;
}

/** A mask from an image of a file's opacity: pixels that are not opaque are masked. */
export async function maskOf(
  opacity: HTMLImageElement,
  width: number,
  height: number,
): Promise<Mask> {
  const mask = blank(width, height);
  // Decoded once: an element may be decoded again for each part.
  const bitmap = await createImageBitmap(opacity);
  const [across, down] = [bitmap.width / width, bitmap.height / height];
  const context = contextOf(width, Math.min(TILE, height));
  for (let top = 0; top < height; top += TILE) {
    const rows = Math.min(TILE, height - top);
    context.clearRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, top * down, width * across, rows * down, 0, 0, width, rows);
    const { data } = context.getImageData(0, 0, width, rows);
    for (const index of tilesIn(mask, { left: 0, top, right: width, bottom: top + rows })) {
      const { left, right } = partOf(mask, index);
      const tile = new Uint8ClampedArray(TILE * TILE).fill(255 - (data[left * 4 + 3] ?? 255));
      for (let y = 0; y < rows; y += 1) {
        for (let x = left; x < right; x += 1)
          tile[y * TILE + x - left] = 255 - (data[(y * width + x) * 4 + 3] ?? 255);
      }
      mask.tiles[index] = uniformValue(tile) ?? tile;
    }
    await afterTask();
  }
  bitmap.close();
  return mask;
}

/** Tiles of colours that are kept, a quarter of a MiB each. */
const MOST_TILES = 128;

/** Returns what reads the colours of a tile of the picture. */
export async function colourReader(
  picture: HTMLImageElement,
  mask: Mask,
): Promise<{ read: (index: number) => Uint8ClampedArray; close: () => void }> {
  const bitmap = await createImageBitmap(picture);
  const context = contextOf(TILE, TILE);
  const kept = new Map<number, Uint8ClampedArray>();
  const read = (index: number) => {
    const before = kept.get(index);
    if (before !== undefined) return before;
    const { left, top, right, bottom } = partOf(mask, index);
    const [width, height] = [right - left, bottom - top];
    context.clearRect(0, 0, TILE, TILE);
    context.drawImage(bitmap, left, top, width, height, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, TILE, TILE);
    const [oldest] = kept.keys();
    if (kept.size >= MOST_TILES && oldest !== undefined) kept.delete(oldest);
    kept.set(index, data);
    return data;
  };
  return { read, close: () => bitmap.close() };
}
