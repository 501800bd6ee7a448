/**
 * Geometry of boxes: hit tests against an outline, alignment, even gaps. Functions take boxes by
 * name and return new corners by name.
 */
import type { Graph, Point, Size } from "./graph";

export type Box = Point & Size;
export type Boxes = ReadonlyMap<string, Box>;
/** New top left corners; boxes that do not move are left out. */
export type Corners = Record<string, Point>;
export type Side = "left" | "centre" | "right" | "top" | "middle" | "bottom";
export type Axis = "x" | "y";

const SIZE_OF = { x: "width", y: "height" } as const;
/** The gap between boxes where there was no space between them, in canvas units. */
const MIN_GAP = 24;

/** The boxes that a closed outline touches, in their given order. */
export function nodesWithin(boxes: Boxes, outline: readonly Point[]): string[] {
  const bounds = boundsOfPoints(outline);
  if (bounds === null) return [];
  const edges = outline.map((from, index): [Point, Point] => [
    from,
    outline[(index + 1) % outline.length] ?? from,
  ]);
  return [...boxes]
    .filter(([, box]) => {
      if (!overlaps(box, bounds)) return false;
      if (outline.some((point) => containsPoint(box, point))) return true;
      if (isInside({ x: box.x, y: box.y }, edges)) return true;
      return edges.some((edge) => crosses(edge, box));
    })
    .map(([key]) => key);
}

export function overlaps(one: Box, other: Box): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  );
}

export function containsPoint(box: Box, { x, y }: Point): boolean {
  return x >= box.x && y >= box.y && x <= box.x + box.width && y <= box.y + box.height;
}

/** Whether a box is completely inside another. */
export function encloses(outer: Box, inner: Box): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
  );
}

export function centreOf({ x, y, width, height }: Box): Point {
  return { x: x + width / 2, y: y + height / 2 };
}

/** The grid step of the search for free space, in canvas units, and its largest ring. */
const SEARCH_STEP = 24;
const MAX_RINGS = 120;

/**
 * The top left corner nearest to the box's own where it overlaps none of `taken`; its own corner
 * where none is found within the search distance.
 */
export function nearestFree(box: Box, taken: Iterable<Box>): Point {
  const others = [...taken];
  const isFree = ({ x, y }: Point) => {
    const space = {
      x: x - MIN_GAP / 2,
      y: y - MIN_GAP / 2,
      width: box.width + MIN_GAP,
      height: box.height + MIN_GAP,
    };
    return !others.some((each) => overlaps(each, space));
  };
  for (let ring = 0; ring <= MAX_RINGS; ring += 1) {
    const free = ringAround(box, ring).filter(isFree);
    const distance = ({ x, y }: Point) => Math.hypot(x - box.x, y - box.y);
    const [nearest] = free.sort((one, other) => distance(one) - distance(other));
    if (nearest !== undefined) return nearest;
  }
  return { x: box.x, y: box.y };
}

/** The grid points on the square ring that is `ring` steps away from a point. */
function ringAround({ x, y }: Point, ring: number): Point[] {
  if (ring === 0) return [{ x, y }];
  const places: Point[] = [];
  for (let step = -ring; step <= ring; step += 1) {
    for (const side of [-ring, ring]) {
      places.push({ x: x + side * SEARCH_STEP, y: y + step * SEARCH_STEP });
      if (Math.abs(step) < ring)
        places.push({ x: x + step * SEARCH_STEP, y: y + side * SEARCH_STEP });
    }
  }
  return places;
}

/** The smallest box around all boxes; null for none. */
export function boundsOfBoxes(boxes: Iterable<Box>): Box | null {
  const all = [...boxes];
  if (all.length === 0) return null;
  const left = Math.min(...all.map((each) => each.x));
  const top = Math.min(...all.map((each) => each.y));
  const right = Math.max(...all.map((each) => each.x + each.width));
  const bottom = Math.max(...all.map((each) => each.y + each.height));
  return { x: left, y: top, width: right - left, height: bottom - top };
}

function boundsOfPoints(points: readonly Point[]): Box | null {
  return boundsOfBoxes(points.map(({ x, y }) => ({ x, y, width: 0, height: 0 })));
}

/** Even-odd rule: counts how often a ray to the right crosses the outline. */
function isInside({ x, y }: Point, edges: readonly [Point, Point][]): boolean {
  let inside = false;
  for (const [from, to] of edges) {
    if (from.y > y === to.y > y) continue;
    if (x < ((to.x - from.x) * (y - from.y)) / (to.y - from.y) + from.x) inside = !inside;
  }
  return inside;
}

/** Whether a line segment passes through a box (clipping by Liang and Barsky, 1984). */
function crosses([from, to]: [Point, Point], box: Box): boolean {
  let [entry, exit] = [0, 1];
  for (const axis of ["x", "y"] as const) {
    const by = to[axis] - from[axis];
    const [low, high] = [box[axis] - from[axis], box[axis] + box[SIZE_OF[axis]] - from[axis]];
    if (by === 0) {
      if (low > 0 || high < 0) return false;
      continue;
    }
    entry = Math.max(entry, Math.min(low / by, high / by));
    exit = Math.min(exit, Math.max(low / by, high / by));
  }
  return entry <= exit;
}

/** Aligns boxes at a side. Boxes in `fixed` do not move, and the others align with them. */
export function align(boxes: Boxes, side: Side, fixed: ReadonlySet<string> = new Set()): Corners {
  const fixedBoxes = [...boxes].filter(([key]) => fixed.has(key)).map(([, box]) => box);
  const bounds = boundsOfBoxes(fixedBoxes.length > 0 ? fixedBoxes : boxes.values());
  if (bounds === null) return {};
  const axis = side === "left" || side === "centre" || side === "right" ? "x" : "y";
  const length = SIZE_OF[axis];
  const share = { left: 0, top: 0, centre: 0.5, middle: 0.5, right: 1, bottom: 1 }[side];
  const line = bounds[axis] + share * bounds[length];
  return cornersOf(boxes, fixed, (box) => ({
    ...box,
    [axis]: Math.round(line - share * box[length]),
  }));
}

/**
 * Spaces boxes evenly along an axis; the outermost two do not move. Where they do not fit between
 * these, they follow the first one with a gap of `MIN_GAP`.
 */
export function distribute(
  boxes: Boxes,
  axis: Axis,
  fixed: ReadonlySet<string> = new Set(),
): Corners {
  const length = SIZE_OF[axis];
  const row = [...boxes].sort(
    ([, one], [, other]) => one[axis] + one[length] / 2 - (other[axis] + other[length] / 2),
  );
  const bounds = boundsOfBoxes(boxes.values());
  if (bounds === null || row.length < 3) return {};
  const filled = row.reduce((sum, [, box]) => sum + box[length], 0);
  const space = (bounds[length] - filled) / (row.length - 1);
  const gap = space < 0 ? MIN_GAP : space;
  let at = bounds[axis];
  const places = new Map<string, number>();
  for (const [key, box] of row) {
    places.set(key, Math.round(at));
    at += box[length] + gap;
  }
  return cornersOf(boxes, fixed, (box, key) => ({ ...box, [axis]: places.get(key) ?? box[axis] }));
}

function cornersOf(
  boxes: Boxes,
  fixed: ReadonlySet<string>,
  placed: (box: Box, key: string) => Point,
): Corners {
  const corners: Corners = {};
  for (const [key, box] of boxes) {
    if (fixed.has(key)) continue;
    const { x, y } = placed(box, key);
    if (x !== box.x || y !== box.y) corners[key] = { x, y };
  }
  return corners;
}

/**
 * All nodes upstream and downstream of the given ones, at any distance, including the given ones.
 */
export function connected(
  graph: Graph,
  keys: readonly string[],
  direction: "upstream" | "downstream" | "both",
): string[] {
  const next = new Map<string, string[]>();
  const add = (from: string, to: string) => next.set(from, [...(next.get(from) ?? []), to]);
  for (const { from, to } of Object.values(graph.links)) {
    if (direction !== "upstream") add(from, to);
    if (direction !== "downstream") add(to, from);
  }
  const found = new Set(keys);
  const open = [...keys];
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    for (const each of next.get(key) ?? []) {
      if (found.has(each)) continue;
      found.add(each);
      open.push(each);
    }
  }
  return graph.order.filter((key) => found.has(key));
}

export function inverted(graph: Graph, keys: readonly string[]): string[] {
  const chosen = new Set(keys);
  return graph.order.filter((key) => !chosen.has(key));
}
