/**
 * Keyboard navigation between nodes by arrow keys: left and right along wires, up and down among
 * nodes connected to the same node. Without a wire, to the nearest node in that direction.
 */
import type { Graph, GraphNode, Point } from "./graph";

export type Direction = "left" | "right" | "up" | "down";

/**
 * The node the user came from, and the direction: that node's other neighbours are the siblings.
 */
export interface PreviousStep {
  from: string;
  way: "left" | "right";
}

interface Walked {
  to: string;
  came: PreviousStep | null;
}

const NONE: ReadonlyMap<string, string> = new Map();

/**
 * The next node; null where there is none in that direction. Nodes in `hidden` are not drawn, and
 * are passed through.
 */
export function walk(
  graph: Graph,
  at: string,
  way: Direction,
  came: PreviousStep | null,
  hidden: ReadonlyMap<string, unknown> = NONE,
): Walked | null {
  if (way === "left" || way === "right") {
    const next = neighbours(graph, at, way, hidden);
    const back = came !== null && came.way !== way && next.includes(came.from) ? came.from : null;
    const to = back ?? next[0];
    if (to !== undefined) return { to, came: { from: at, way } };
  } else {
    const shared = came ?? mainWay(graph, at, hidden);
    const siblings = shared === null ? [] : inOrder(graph, shared, hidden);
    const to = siblings[siblings.indexOf(at) + (way === "down" ? 1 : -1)];
    if (siblings.includes(at) && to !== undefined) return { to, came: shared };
  }
  const to = nearest(graph, at, way, hidden);
  return to === null ? null : { to, came: null };
}

/**
 * The nodes that a node feeds, or that feed it, without duplicates, by its sockets from the top.
 */
export function neighbours(
  graph: Graph,
  key: string,
  way: "left" | "right",
  hidden: ReadonlyMap<string, unknown> = NONE,
): string[] {
  const found = new Set<string>();
  const seen = new Set([key]);
  const look = (from: string) => {
    for (const next of joinedTo(graph, from, way)) {
      if (seen.has(next)) continue;
      seen.add(next);
      if (hidden.has(next)) look(next);
      else found.add(next);
    }
  };
  look(key);
  return [...found];
}

function joinedTo(graph: Graph, key: string, way: "left" | "right"): string[] {
  const node = graph.nodes[key];
  if (node === undefined) return [];
  if (way === "left") {
    return node.inputs.flatMap(({ link }) => graph.links[link ?? ""]?.from ?? []);
  }
  return node.outputs.flatMap(({ links }) => links.flatMap((each) => graph.links[each]?.to ?? []));
}

/**
 * The default where no previous step is known: over the first input wire, else the first output.
 */
function mainWay(
  graph: Graph,
  key: string,
  hidden: ReadonlyMap<string, unknown>,
): PreviousStep | null {
  const [source] = neighbours(graph, key, "left", hidden);
  if (source !== undefined) return { from: source, way: "right" };
  const [target] = neighbours(graph, key, "right", hidden);
  return target === undefined ? null : { from: target, way: "left" };
}

/** Siblings by their positions, from top to bottom. */
function inOrder(graph: Graph, { from, way }: PreviousStep, hidden: ReadonlyMap<string, unknown>) {
  const place = (key: string) => graph.nodes[key]?.position ?? { x: 0, y: 0 };
  return neighbours(graph, from, way, hidden).sort(
    (one, other) => place(one).y - place(other).y || place(one).x - place(other).x,
  );
}

/** The weight of sideways distance: "down" should choose a node below, not one beside. */
const ASIDE = 2.5;

function nearest(
  graph: Graph,
  at: string,
  way: Direction,
  hidden: ReadonlyMap<string, unknown>,
): string | null {
  const from = graph.nodes[at];
  if (from === undefined) return null;
  const start = middleOf(from);
  const sign = way === "right" || way === "down" ? 1 : -1;
  const [along, across] =
    way === "left" || way === "right" ? (["x", "y"] as const) : (["y", "x"] as const);
  let [best, least]: [string | null, number] = [null, Number.POSITIVE_INFINITY];
  for (const key of graph.order) {
    const node = graph.nodes[key];
    if (node === undefined || key === at || hidden.has(key)) continue;
    const middle = middleOf(node);
    const ahead = (middle[along] - start[along]) * sign;
    const cost = ahead + ASIDE * Math.abs(middle[across] - start[across]);
    if (ahead > 0 && cost < least) [best, least] = [key, cost];
  }
  return best;
}

/** The node whose centre is nearest to a point. */
export function nodeNear(
  graph: Graph,
  { x, y }: Point,
  hidden: ReadonlyMap<string, unknown> = NONE,
): string | null {
  let [best, least]: [string | null, number] = [null, Number.POSITIVE_INFINITY];
  for (const key of graph.order) {
    const node = graph.nodes[key];
    if (node === undefined || hidden.has(key)) continue;
    const middle = middleOf(node);
    const distance = Math.hypot(middle.x - x, middle.y - y);
    if (distance < least) [best, least] = [key, distance];
  }
  return best;
}

function middleOf({ position, size }: GraphNode): Point {
  return { x: position.x + size.width / 2, y: position.y + size.height / 2 };
}
