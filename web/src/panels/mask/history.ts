/** Undo and redo of a mask, kept as the tiles that changed. */
import type { Change, Mask, Tile } from "./tiles";
import { uniformValue } from "./tiles";

type Tiles = ReadonlyMap<number, Tile>;

/** What earlier states may take: beyond it, the earliest are forgotten. */
const MOST_BYTES = 192 * 1024 * 1024;

export class MaskHistory {
  readonly mask: Mask;
  readonly #most: number;
  #done: Tiles[] = [];
  #undone: Tiles[] = [];

  constructor(mask: Mask, most = MOST_BYTES) {
    this.mask = mask;
    this.#most = most;
  }

  get canUndo(): boolean {
    return this.#done.length > 0;
  }

  get canRedo(): boolean {
    return this.#undone.length > 0;
  }

  /** Keeps a change that is finished. */
  record(change: Change): void {
    const before = new Map<number, Tile>();
    for (const [index, tile] of change.before) {
      const now = this.mask.tiles[index] ?? 0;
      const uniform = uniformValue(now);
      if (uniform !== null) this.mask.tiles[index] = uniform;
      if (uniform === null || uniform !== tile) before.set(index, tile);
    }
    if (before.size === 0) return;
    this.#done.push(before);
    this.#undone = [];
    let bytes = 0;
    const least = this.#done.findLastIndex((tiles) => {
      bytes += bytesIn(tiles);
      return bytes > this.#most;
    });
    // The last change can always be undone.
    this.#done.splice(0, Math.min(least + 1, this.#done.length - 1));
  }

  /** Undoes the last change. Returns the changed tiles, or null if there was nothing to undo. */
  undo(): Iterable<number> | null {
    return this.#swap(this.#done, this.#undone);
  }

  redo(): Iterable<number> | null {
    return this.#swap(this.#undone, this.#done);
  }

  #swap(from: Tiles[], to: Tiles[]): Iterable<number> | null {
    const tiles = from.pop();
    if (tiles === undefined) return null;
    const others = new Map<number, Tile>();
    for (const [index, tile] of tiles) {
      others.set(index, this.mask.tiles[index] ?? 0);
      this.mask.tiles[index] = tile;
    }
    to.push(others);
    return tiles.keys();
  }
}

function bytesIn(tiles: Tiles): number {
  let bytes = 0;
  for (const tile of tiles.values()) bytes += typeof tile === "number" ? 8 : tile.length;
  return bytes;
}
