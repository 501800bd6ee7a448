/** Undo and redo of a mask, stored as the parts that changed. */
import { clipped, copyPart, isEmpty, type Mask, type Part, restorePart } from "./raster";

interface Change {
  part: Part;
  before: Uint8ClampedArray;
  after: Uint8ClampedArray;
}

export class MaskHistory {
  #done: Change[] = [];
  #undone: Change[] = [];

  constructor(readonly mask: Mask) {}

  get canUndo(): boolean {
    return this.#done.length > 0;
  }

  get canRedo(): boolean {
    return this.#undone.length > 0;
  }

  /** Records a change of the mask: `before` is the mask before it, `part` the part that changed. */
  record(before: Mask, part: Part): void {
    const inside = clipped(this.mask, part);
    if (isEmpty(inside)) return;
    this.#done.push({
      part: inside,
      before: copyPart(before, inside),
      after: copyPart(this.mask, inside),
    });
    this.#undone = [];
  }

  /** Undoes the last change. Returns the changed part, or null if there was nothing to undo. */
  undo(): Part | null {
    const change = this.#done.pop();
    if (change === undefined) return null;
    restorePart(this.mask, change.part, change.before);
    this.#undone.push(change);
    return change.part;
  }

  redo(): Part | null {
    const change = this.#undone.pop();
    if (change === undefined) return null;
    restorePart(this.mask, change.part, change.after);
    this.#done.push(change);
    return change.part;
  }
}
