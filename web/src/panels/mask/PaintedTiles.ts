/**
 * The tint over the masked area, in tiles that are painted as large as they are shown: together they
 * take little more than the screen, however large the picture is.
 */
import type Konva from "konva";
import { contextOf } from "./reading";
import { type Mask, type Part, partOf, TILE, type Tile, tilesIn } from "./tiles";

type Tint = readonly [number, number, number];

interface PaintedTile {
  context: CanvasRenderingContext2D;
  /** The tile has changed since. */
  isStale: boolean;
  /** Each pixel of the canvas stands for 2 ** level pixels of the picture in a row. */
  level: number;
}

/** Where the picture is on the canvas, in pixels of the canvas. */
interface Placed {
  x: number;
  y: number;
  scale: number;
  width: number;
  height: number;
}

export class PaintedTiles {
  readonly #mask: Mask;
  readonly #tint: Tint;
  #painted = new Map<number, PaintedTile>();

  constructor(mask: Mask, tint: Tint) {
    this.#mask = mask;
    this.#tint = tint;
  }

  /** Paints these tiles anew the next time they are shown. */
  forget(indices: Iterable<number>): void {
    for (const index of indices) {
      const painted = this.#painted.get(index);
      if (painted !== undefined) painted.isStale = true;
    }
  }

  draw(context: Konva.Context, placed: Placed): void {
    const { x, y, scale, width, height } = placed;
    const level = levelAt(scale);
    const kept = new Map<number, PaintedTile>();
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.setAttr("fillStyle", `rgb(${this.#tint.join(" ")})`);
    const seen = {
      left: -x / scale,
      top: -y / scale,
      right: (width - x) / scale,
      bottom: (height - y) / scale,
    };
    for (const index of tilesIn(this.#mask, seen)) {
      const tile = this.#mask.tiles[index] ?? 0;
      if (tile === 0) continue;
      const part = partOf(this.#mask, index);
      // On whole pixels, so that tiles neither overlap nor leave gaps.
      const [left, top] = [Math.round(x + part.left * scale), Math.round(y + part.top * scale)];
      const across = Math.round(x + part.right * scale) - left;
      const down = Math.round(y + part.bottom * scale) - top;
      if (tile === 255) {
        context.fillRect(left, top, across, down);
        continue;
      }
      const painted = this.#at(index, tile, level);
      kept.set(index, painted);
      const [columns, rows] = [
        sizeAt(part.right - part.left, level),
        sizeAt(heightOf(part), level),
      ];
      context.drawImage(painted.context.canvas, 0, 0, columns, rows, left, top, across, down);
    }
    context.restore();
    this.#painted = kept;
  }

  #at(index: number, tile: Tile, level: number): PaintedTile {
    const before = this.#painted.get(index);
    if (before?.level === level && !before.isStale) return before;
    const side = TILE >> level;
    const context = before?.level === level ? before.context : contextOf(side, side, false);
    paintTile(context, tile, level, this.#tint);
    return { context, level, isStale: false };
  }
}

/** The level at which a tile has at least as many pixels as are shown. */
export function levelAt(scale: number): number {
  return Math.max(0, Math.min(Math.floor(Math.log2(1 / scale)), Math.log2(TILE)));
}

function heightOf({ top, bottom }: Part): number {
  return bottom - top;
}

function sizeAt(size: number, level: number): number {
  return Math.max(1, size / 2 ** level);
}

function paintTile(
  context: CanvasRenderingContext2D,
  tile: Tile,
  level: number,
  [red, green, blue]: Tint,
): void {
  const side = TILE >> level;
  const step = 2 ** level;
  const image = context.createImageData(side, side);
  let to = 0;
  for (let y = 0; y < side; y += 1) {
    // From the middle of the pixels for which this one stands.
    const row = (y * step + (step >> 1)) * TILE + (step >> 1);
    for (let x = 0; x < side; x += 1) {
      image.data[to] = red;
      image.data[to + 1] = green;
      image.data[to + 2] = blue;
      image.data[to + 3] = typeof tile === "number" ? tile : (tile[row + x * step] ?? 0);
      to += 4;
    }
  }
  context.putImageData(image, 0, 0);
}
