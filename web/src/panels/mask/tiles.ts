/**
 * A mask in tiles, so that a large picture costs what is painted on it: a tile whose pixels are all
 * the same is one number, and a change copies the tiles that it touches. 255 is fully masked.
 */

/** The side of a tile in pixels. */
export const TILE = 256;

/**
 * The bytes of a tile, row by row, or the value of all of them. Bytes in a mask are never written
 * to, except by the change that put them there.
 */
export type Tile = Uint8ClampedArray | number;

export interface Mask {
  width: number;
  height: number;
  /** The number of tiles in a row. */
  across: number;
  /** Row by row. Tiles at the right and the lower edge reach beyond the picture. */
  tiles: Tile[];
}

/** A rectangle; `right` and `bottom` are exclusive. Empty if left is not less than right. */
export interface Part {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export function blank(width: number, height: number, value = 0): Mask {
  const across = Math.ceil(width / TILE);
  const tiles = Array.from({ length: across * Math.ceil(height / TILE) }, () => value);
  return { width, height, across, tiles };
}

/** The part of a rectangle within the mask. */
function clipped({ width, height }: Mask, part: Part): Part {
  return {
    left: Math.max(0, Math.floor(part.left)),
    top: Math.max(0, Math.floor(part.top)),
    right: Math.min(width, Math.ceil(part.right)),
    bottom: Math.min(height, Math.ceil(part.bottom)),
  };
}

/** The pixels of the picture in a tile. */
export function partOf(mask: Mask, index: number): Part {
  const left = (index % mask.across) * TILE;
  const top = Math.floor(index / mask.across) * TILE;
  return clipped(mask, { left, top, right: left + TILE, bottom: top + TILE });
}

/** The tiles that a rectangle of pixels touches. */
export function tilesIn(mask: Mask, part: Part): number[] {
  const { left, top, right, bottom } = clipped(mask, part);
  const found: number[] = [];
  if (left >= right) return found;
  for (let y = Math.floor(top / TILE); y * TILE < bottom; y += 1) {
    for (let x = Math.floor(left / TILE); x * TILE < right; x += 1) found.push(y * mask.across + x);
  }
  return found;
}

/** The value that all pixels of a tile have; null if they differ. */
export function uniformValue(tile: Tile): number | null {
  if (typeof tile === "number") return tile;
  const [first = 0] = tile;
  return tile.every((each) => each === first) ? first : null;
}

/** The sum of a tile's values within the picture. */
export function sumOf(mask: Mask, index: number): number {
  const { left, top, right, bottom } = partOf(mask, index);
  const tile = mask.tiles[index] ?? 0;
  if (typeof tile === "number") return tile * (right - left) * (bottom - top);
  let sum = 0;
  for (let y = 0; y < bottom - top; y += 1) {
    const row = y * TILE;
    for (let x = 0; x < right - left; x += 1) sum += tile[row + x] ?? 0;
  }
  return sum;
}

/** A change of a mask: it keeps the tiles that it replaces. */
export class Change {
  readonly mask: Mask;
  /** The replaced tiles, by their indices. */
  readonly before = new Map<number, Tile>();
  /** The tiles that were changed since they were last taken. */
  #fresh = new Set<number>();

  constructor(mask: Mask) {
    this.mask = mask;
  }

  /** The bytes of a tile, to be written to. */
  writable(index: number): Uint8ClampedArray {
    this.#fresh.add(index);
    const tile = this.mask.tiles[index] ?? 0;
    if (this.before.has(index) && typeof tile !== "number") return tile;
    const bytes =
      typeof tile === "number" ? new Uint8ClampedArray(TILE * TILE).fill(tile) : tile.slice();
    this.set(index, bytes);
    return bytes;
  }

  set(index: number, tile: Tile): void {
    if (!this.before.has(index)) this.before.set(index, this.mask.tiles[index] ?? 0);
    this.mask.tiles[index] = tile;
    this.#fresh.add(index);
  }

  /** The tile as it was before the change. */
  earlier(index: number): Tile {
    return this.before.get(index) ?? this.mask.tiles[index] ?? 0;
  }

  /** The tiles that were changed since this was last called. */
  takeFresh(): ReadonlySet<number> {
    const fresh = this.#fresh;
    this.#fresh = new Set();
    return fresh;
  }

  /** Puts the earlier tiles back. */
  revert(): void {
    for (const [index, tile] of this.before) this.set(index, tile);
  }
}
