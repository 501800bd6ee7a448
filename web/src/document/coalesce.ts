/**
 * Merges edits of the same places, as in dragging: of each place only the first value, for undo,
 * and the last, for redo, are stored. So an entry's size depends on what it touched, not on its
 * duration.
 */
import type { Patches } from "mutative";

type Patch = Patches[number];

export interface Steps {
  patches: Patches[];
  inverses: Patches[];
}

/** Appends a step, merged into the last one where the result is the same. */
export function appendStep(steps: Steps, patches: Patches, inverse: Patches): Steps {
  const [last, lastInverse] = [steps.patches.at(-1), steps.inverses.at(-1)];
  const merged = last && lastInverse && mergedStep(last, lastInverse, patches, inverse);
  return {
    patches: [...(merged ? steps.patches.slice(0, -1) : steps.patches), merged?.[0] ?? patches],
    inverses: [...(merged ? steps.inverses.slice(0, -1) : steps.inverses), merged?.[1] ?? inverse],
  };
}

/** Null unless both steps only replace values, at places that are not inside one another. */
function mergedStep(
  before: Patches,
  beforeInverse: Patches,
  after: Patches,
  afterInverse: Patches,
): [Patches, Patches] | null {
  if (![before, beforeInverse, after, afterInverse].every((each) => each.every(isPlain))) {
    return null;
  }
  const [older, newer] = [placesOf(before), placesOf(after)];
  if (isWithin(before, newer) || isWithin(after, older)) return null;
  const kept = before.filter((each) => !newer.has(placeOf(each)));
  const added = afterInverse.filter((each) => !older.has(placeOf(each)));
  return [[...kept, ...after] as Patches, [...beforeInverse, ...added] as Patches];
}

function isPlain({ op, path }: Patch): boolean {
  return op === "replace" && Array.isArray(path) && path.at(-1) !== "length";
}

function placeOf({ path }: Patch): string {
  return JSON.stringify(path);
}

function placesOf(patches: Patches): Set<string> {
  return new Set(patches.map(placeOf));
}

/** Whether any of these patches changes something inside one of the places. */
function isWithin(patches: Patches, places: ReadonlySet<string>): boolean {
  return patches.some(({ path }) => {
    for (let depth = 0; depth < path.length; depth += 1) {
      if (places.has(JSON.stringify(path.slice(0, depth)))) return true;
    }
    return false;
  });
}
