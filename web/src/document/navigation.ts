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
  direction: "left" | "right";
}

interface StepResult {
  to: string;
  previous: PreviousStep | null;
}

const NONE: ReadonlyMap<string, string> = new Map();

/**
 * The next node; null where there is none in that direction. Nodes in `hidden` are not drawn, and
 * are passed through.
 */
export function walk(
  graph: Graph,
  at: string,
  direction: Direction,
  previous: PreviousStep | null,
  hidden: ReadonlyMap<string, unknown> = NONE,
): StepResult | null {
  if (direction === "left" || direction === "right") {
    const next = neighbours(graph, at, direction, hidden);
    const back =
      previous !== null && previous.direction !== direction && next.includes(previous.from)
        ? previous.from
        : null;
    const to = back ?? next[0];
    if (to !== undefined) return { to, previous: { from: at, direction } };
  } else {
    const shared = previous ?? defaultStep(graph, at, hidden);
    const siblings = shared === null ? [] : inOrder(graph, shared, hidden);
    const to = siblings[siblings.indexOf(at) + (direction === "down" ? 1 : -1)];
    if (siblings.includes(at) && to !== undefined) return { to, previous: shared };
  }
  const to = nearest(graph, at, direction, hidden);
  return to === null ? null : { to, previous: null };
}

/**
 * The nodes that a node feeds, or that feed it, without duplicates, by its sockets from the top.
 */
export function neighbours(
  graph: Graph,
  key: string,
  direction: "left" | "right",
  hidden: ReadonlyMap<string, unknown> = NONE,
): string[] {
  const found = new Set<string>();
  const seen = new Set([key]);
  const visit = (from: string) => {
    for (const next of directNeighbours(graph, from, direction)) {
      if (seen.has(next)) continue;
      seen.add(next);
      if (hidden.has(next)) visit(next);
      else found.add(next);
    }
  };
  visit(key);
  return [...found];
}

function directNeighbours(graph: Graph, key: string, direction: "left" | "right"): string[] {
  const node = graph.nodes[key];
  if (node === undefined) return [];
  if (direction === "left") {
    return node.inputs.flatMap(({ link }) => graph.links[link ?? ""]?.from ?? []);
  }
  return node.outputs.flatMap(({ links }) => links.flatMap((each) => graph.links[each]?.to ?? []));
}

/**
 * The default where no previous step is known: over the first input wire, else the first output.
 */
function defaultStep(
  graph: Graph,
  key: string,
  hidden: ReadonlyMap<string, unknown>,
): PreviousStep | null {
  const [source] = neighbours(graph, key, "left", hidden);
  if (source !== undefined) return { from: source, direction: "right" };
  const [target] = neighbours(graph, key, "right", hidden);
  return target === undefined ? null : { from: target, direction: "left" };
}

/** Siblings by their positions, from top to bottom. */
function inOrder(
  graph: Graph,
  { from, direction }: PreviousStep,
  hidden: ReadonlyMap<string, unknown>,
) {
  const place = (key: string) => graph.nodes[key]?.position ?? { x: 0, y: 0 };
  return neighbours(graph, from, direction, hidden).sort(
    (one, other) => place(one).y - place(other).y || place(one).x - place(other).x,
  );
}

/** The weight of sideways distance: "down" should choose a node below, not one beside. */
const SIDEWAYS_WEIGHT = 2.5;

function nearest(
  graph: Graph,
  at: string,
  direction: Direction,
  hidden: ReadonlyMap<string, unknown>,
): string | null {
  const from = graph.nodes[at];
  if (from === undefined) return null;
  const start = middleOf(from);
  const sign = direction === "right" || direction === "down" ? 1 : -1;
  const [along, across] =
    direction === "left" || direction === "right" ? (["x", "y"] as const) : (["y", "x"] as const);
  let [best, lowestCost]: [string | null, number] = [null, Number.POSITIVE_INFINITY];
  for (const key of graph.order) {
    const node = graph.nodes[key];
    if (node === undefined || key === at || hidden.has(key)) continue;
    const middle = middleOf(node);
    const ahead = (middle[along] - start[along]) * sign;
    const cost = ahead + SIDEWAYS_WEIGHT * Math.abs(middle[across] - start[across]);
    if (ahead > 0 && cost < lowestCost) [best, lowestCost] = [key, cost];
  }
  return best;
}

/** The node whose centre is nearest to a point. */
export function nodeNear(
  graph: Graph,
  { x, y }: Point,
  hidden: ReadonlyMap<string, unknown> = NONE,
): string | null {
  let [best, lowestCost]: [string | null, number] = [null, Number.POSITIVE_INFINITY];
  for (const key of graph.order) {
    const node = graph.nodes[key];
    if (node === undefined || hidden.has(key)) continue;
    const middle = middleOf(node);
    const distance = Math.hypot(middle.x - x, middle.y - y);
    if (distance < lowestCost) [best, lowestCost] = [key, distance];
  }
  return best;
}

function middleOf({ position, size }: GraphNode): Point {
  return { x: position.x + size.width / 2, y: position.y + size.height / 2 };
}
