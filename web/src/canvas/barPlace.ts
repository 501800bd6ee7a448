/** Where the bar above the selection stands, so that it covers nothing it acts on. */
import type { Box } from "../document/arrange";
import type { Point, Size } from "../document/graph";

const MARGIN = 8;
const DISTANCE = 12;
/** The grid of places that are tried where none beside the selection is free. */
const STEP = 24;

interface Situation {
  bar: Size;
  /** The part of the canvas that no other bar covers. */
  room: Size;
  /** Around what is selected; all boxes are in pixels of the canvas. */
  selection: Box;
  selected: readonly Box[];
  others: readonly Box[];
}

/**
 * The upper left corner of the bar: above the selection, else below it, else where it is nearest to
 * that and covers no selected node. Null where the selection is out of view, or fills it.
 */
export function barPlace({ bar, room, selection, selected, others }: Situation): Point | null {
  const right = Math.max(MARGIN, room.width - bar.width - MARGIN);
  const bottom = room.height - bar.height - MARGIN;
  const isAway =
    selection.x > room.width ||
    selection.y > room.height ||
    selection.x + selection.width < 0 ||
    selection.y + selection.height < 0;
  if (isAway || bottom < MARGIN) return null;
  const middle = selection.x + selection.width / 2 - bar.width / 2;
  const x = Math.max(MARGIN, Math.min(middle, right));
  const above = { x, y: selection.y - bar.height - DISTANCE };
  const below = { x, y: selection.y + selection.height + DISTANCE };
  const beside = [above, below].filter(({ y }) => y >= MARGIN && y <= bottom);
  const isFree = (boxes: readonly Box[]) => (at: Point) =>
    boxes.every((each) => !overlaps({ ...at, ...bar }, each));
  const free = beside.filter(isFree(selected));
  return (
    free.find(isFree(others)) ??
    free[0] ??
    placesByDistance(above, right, bottom).find(isFree(selected)) ??
    null
  );
}

function placesByDistance(from: Point, right: number, bottom: number): Point[] {
  const places: Point[] = [];
  for (let y = MARGIN; y <= bottom; y += STEP) {
    for (let x = MARGIN; x <= right; x += STEP) places.push({ x, y });
  }
  const distance = ({ x, y }: Point) => Math.hypot(x - from.x, y - from.y);
  return places.sort((one, other) => distance(one) - distance(other));
}

function overlaps(one: Box, other: Box): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  );
}
