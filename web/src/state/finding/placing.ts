/** Free positions for new nodes that are added without a pointer. */
import type { Graph, Point } from "../../document/graph";
import { cornerOf, TITLE, WIDTH } from "../nodes/shape";

const STEP = 40;
const USUAL_HEIGHT = 160;
const MAX_TRIES = 60;

/** The given position, or the first free one below it for a node of usual size. */
export function freeBelow(graph: Graph, corner: Point): Point {
  const place = { ...corner };
  for (let tries = 0; tries < MAX_TRIES && isTaken(graph, place); tries += 1) place.y += STEP;
  return place;
}

function isTaken(graph: Graph, { x, y }: Point): boolean {
  return graph.order.some((key) => {
    const node = graph.nodes[key];
    if (node === undefined) return false;
    const at = cornerOf(node);
    const [right, bottom] = [at.x + node.size.width, at.y + TITLE + node.size.height];
    return at.x < x + WIDTH && right > x && at.y < y + USUAL_HEIGHT && bottom > y;
  });
}

const OVERLAP_DISTANCE = 16;
const OVERLAP_SHIFT = 32;

/**
 * The position, shifted where another node begins at the same place, so that neither hides the
 * other.
 */
export function avoidOverlap(graph: Graph, corner: Point): Point {
  const corners = graph.order.flatMap((key) => graph.nodes[key] ?? []).map(cornerOf);
  const place = { ...corner };
  const isHidden = () =>
    corners.some(
      ({ x, y }) =>
        Math.abs(x - place.x) < OVERLAP_DISTANCE && Math.abs(y - place.y) < OVERLAP_DISTANCE,
    );
  for (let tries = 0; tries < MAX_TRIES && isHidden(); tries += 1) {
    place.x += OVERLAP_SHIFT;
    place.y += OVERLAP_SHIFT;
  }
  return place;
}
