/** Free positions for new nodes that are added without a pointer. */
import type { Graph, Point } from "../../document/graph";
import { cornerOf, TITLE, WIDTH } from "../nodes/shape";

const STEP = 40;
const TALL = 160;
const TRIES = 60;

/** The given position, or the first free one below it for a node of usual size. */
export function freeBelow(graph: Graph, corner: Point): Point {
  const place = { ...corner };
  for (let tries = 0; tries < TRIES && isTaken(graph, place); tries += 1) place.y += STEP;
  return place;
}

function isTaken(graph: Graph, { x, y }: Point): boolean {
  return graph.order.some((key) => {
    const node = graph.nodes[key];
    if (node === undefined) return false;
    const at = cornerOf(node);
    const [right, bottom] = [at.x + node.size.width, at.y + TITLE + node.size.height];
    return at.x < x + WIDTH && right > x && at.y < y + TALL && bottom > y;
  });
}

const NEAR = 16;
const ASIDE = 32;

/**
 * The position, shifted where another node begins at the same place, so that neither hides the
 * other.
 */
export function apart(graph: Graph, corner: Point): Point {
  const corners = graph.order.flatMap((key) => graph.nodes[key] ?? []).map(cornerOf);
  const place = { ...corner };
  const isHidden = () =>
    corners.some(({ x, y }) => Math.abs(x - place.x) < NEAR && Math.abs(y - place.y) < NEAR);
  for (let tries = 0; tries < TRIES && isHidden(); tries += 1) {
    place.x += ASIDE;
    place.y += ASIDE;
  }
  return place;
}
