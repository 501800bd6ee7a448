/** Snapping of a dragged box: to the lines of neighbouring boxes first, then to the grid. */
import type { Axis, Box } from "./arrange";
import type { Point } from "./graph";

/** A line that a box shares with its neighbours, from the first of them to the last. */
export interface Guide {
  axis: Axis;
  at: number;
  from: number;
  to: number;
}

interface Snapped {
  by: Point;
  guides: Guide[];
}

interface SnapTo {
  neighbours: readonly Box[];
  /** The greatest distance to a line for snapping to it, in canvas units. */
  reach: number;
  /** The grid's step, in canvas units; null for no grid. */
  grid: number | null;
}

const SIZE_OF = { x: "width", y: "height" } as const;
const TOLERANCE = 0.5;

export function snapped(box: Box, to: SnapTo): Snapped {
  const x = snapOffset(box, "x", to);
  const y = snapOffset(box, "y", to);
  const placed = { ...box, x: box.x + x, y: box.y + y };
  return {
    by: { x, y },
    guides: to.reach === 0 ? [] : [...guidesOf(placed, "x", to), ...guidesOf(placed, "y", to)],
  };
}

function snapOffset(box: Box, axis: Axis, { neighbours, reach, grid }: SnapTo): number {
  let nearest = Number.POSITIVE_INFINITY;
  for (const neighbour of neighbours) {
    for (const [ours, theirs] of pairsOf(box, neighbour, axis)) {
      if (Math.abs(theirs - ours) < Math.abs(nearest)) nearest = theirs - ours;
    }
  }
  if (Math.abs(nearest) <= reach) return nearest;
  return grid === null ? 0 : Math.round(box[axis] / grid) * grid - box[axis];
}

/** Pairs edges with edges, and centres with centres. */
function pairsOf(one: Box, other: Box, axis: Axis): [number, number][] {
  const [start, end] = [one[axis], one[axis] + one[SIZE_OF[axis]]];
  const [first, last] = [other[axis], other[axis] + other[SIZE_OF[axis]]];
  return [
    [start, first],
    [end, last],
    [start, last],
    [end, first],
    [(start + end) / 2, (first + last) / 2],
  ];
}

function guidesOf(box: Box, axis: Axis, { neighbours }: SnapTo): Guide[] {
  const across = axis === "x" ? "y" : "x";
  const guides = new Map<number, Guide>();
  for (const each of neighbours) {
    for (const [ours, theirs] of pairsOf(box, each, axis)) {
      if (Math.abs(ours - theirs) > TOLERANCE) continue;
      const existing = guides.get(theirs);
      const [from, to] = [each[across], each[across] + each[SIZE_OF[across]]];
      guides.set(theirs, {
        axis,
        at: theirs,
        from: Math.min(existing?.from ?? box[across], from),
        to: Math.max(existing?.to ?? box[across] + box[SIZE_OF[across]], to),
      });
    }
  }
  return [...guides.values()];
}
