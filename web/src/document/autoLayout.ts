/**
 * Auto-layout: columns from left to right in the order of the data flow, straight wires, no
 * overlaps. Dagre assigns columns and the order in them, `straighten.ts` the heights. The contents
 * of a frame are laid out first; the frame is then one box in its parent. The caller passes the
 * sizes of nodes.
 */
import { type Box, type Boxes, boundsOfBoxes } from "./arrange";
import type { Point } from "./graph";
import { type LayoutEdge, type LayoutItem, straightened, withFewerCrossings } from "./straighten";

type Dagre = typeof import("@dagrejs/dagre");

export interface LayoutTask {
  boxes: Boxes;
  edges: readonly LayoutEdge[];
  /** The frame that contains a node or frame, by key. Keys of frames and nodes must differ. */
  parents: ReadonlyMap<string, string>;
  /** The padding inside a frame, before its contents and after. */
  margin: { before: Point; after: Point };
}

const COLUMN_GAP = 64;
const ROW_GAP = 32;
const GRID = 8;
/** The height given to a wire that passes a column, in canvas units. */
const PASSING_HEIGHT = 8;
const LARGE_GRAPH = 60;
/** The least width of the rows of boxes without wires, in canvas units. */
const ROW_WIDTH = 900;

/** The new boxes; their common top left corner is that of the old ones. */
export async function autoLayout(task: LayoutTask): Promise<Map<string, Box>> {
  const dagre: Dagre = await import("@dagrejs/dagre");
  const { boxes: laidOut } = level(task, null, dagre);
  const [before, after] = [boundsOfBoxes(task.boxes.values()), boundsOfBoxes(laidOut.values())];
  if (before === null || after === null) return laidOut;
  return moved(laidOut, { x: before.x - after.x, y: before.y - after.y });
}

interface Level {
  boxes: Map<string, Box>;
  /** The smallest box around all boxes and their frames. */
  bounds: Box | null;
}

/**
 * Lays out the direct children of a frame; null is the root. The boxes it returns include those of
 * nested frames, in this frame's coordinates.
 */
function level(task: LayoutTask, frame: string | null, dagre: Dagre): Level {
  const inside = new Map<string, Map<string, Box>>();
  const items = new Map<string, Box>();
  const frames = new Set(task.parents.values());
  for (const [key, box] of task.boxes) {
    if ((task.parents.get(key) ?? null) === frame) items.set(key, box);
  }
  for (const key of frames) {
    if ((task.parents.get(key) ?? null) !== frame) continue;
    const { boxes: contents, bounds } = level(task, key, dagre);
    if (bounds === null) continue;
    const { before, after } = task.margin;
    inside.set(key, moved(contents, { x: before.x - bounds.x, y: before.y - bounds.y }));
    items.set(key, {
      x: 0,
      y: 0,
      width: bounds.width + before.x + after.x,
      height: bounds.height + before.y + after.y,
    });
  }
  const edges = edgesBetween(task, items, inside);
  const placed = frame !== null && edges.length === 0 ? stack(items) : arrange(items, edges, dagre);
  const boxes = new Map(
    [...placed].flatMap(([key, box]) => [...(moved(inside.get(key), box) ?? [[key, box]])]),
  );
  return { boxes, bounds: boundsOfBoxes(placed.values()) };
}

function moved<Found extends Map<string, Box> | undefined>(boxes: Found, by: Point): Found {
  if (boxes === undefined) return boxes;
  const places = [...boxes].map(([key, box]): [string, Box] => [
    key,
    { ...box, x: box.x + by.x, y: box.y + by.y },
  ]);
  return new Map(places) as Found;
}

/** Wires between the children of one level, with heights relative to those children. */
function edgesBetween(
  { edges }: LayoutTask,
  items: ReadonlyMap<string, Box>,
  inside: ReadonlyMap<string, ReadonlyMap<string, Box>>,
): LayoutEdge[] {
  const outer = new Map<string, { key: string; y: number }>();
  for (const key of items.keys()) outer.set(key, { key, y: 0 });
  for (const [key, contents] of inside) {
    for (const [inner, { y }] of contents) outer.set(inner, { key, y });
  }
  return edges.flatMap(({ from, to, fromY, toY }) => {
    const [source, target] = [outer.get(from), outer.get(to)];
    if (source === undefined || target === undefined || source.key === target.key) return [];
    return [{ from: source.key, to: target.key, fromY: fromY + source.y, toY: toY + target.y }];
  });
}

function arrange(items: Boxes, edges: readonly LayoutEdge[], dagre: Dagre): Map<string, Box> {
  const joined = new Set(edges.flatMap(({ from, to }) => [from, to]));
  const alone = new Map([...items].filter(([key]) => !joined.has(key)));
  const wired = new Map([...items].filter(([key]) => joined.has(key)));
  const placed = wired.size === 0 ? new Map<string, Box>() : inColumns(wired, edges, dagre);
  for (const [key, box] of inRows(alone, boundsOfBoxes(placed.values()))) placed.set(key, box);
  return placed;
}

function inColumns(items: Boxes, edges: readonly LayoutEdge[], dagre: Dagre): Map<string, Box> {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({
    rankdir: "LR",
    nodesep: ROW_GAP,
    ranksep: COLUMN_GAP,
    edgesep: GRID,
    ranker: "tight-tree",
  });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const [key, { width, height }] of items) graph.setNode(key, { width, height });
  for (const { from, to } of edges) graph.setEdge(from, to);
  // Dagre's optimal order heuristic takes seconds on a large graph.
  const isLarge = items.size > LARGE_GRAPH;
  dagre.layout(graph, { disableOptimalOrderHeuristic: isLarge });
  const centres = new Map([...items.keys()].map((key) => [key, graph.node(key) as Point]));
  const columns = [...new Set([...centres.values()].map(({ x }) => Math.round(x)))].sort(
    (one, other) => one - other,
  );
  const lefts = columns.map((column) =>
    Math.min(
      ...[...items].flatMap(([key, { width }]) => {
        const x = centres.get(key)?.x ?? 0;
        return Math.round(x) === column ? [x - width / 2] : [];
      }),
    ),
  );
  const nodeItems = [...items].map(([key, { height }]): LayoutItem => {
    const { x, y } = centres.get(key) ?? { x: 0, y: 0 };
    return { key, column: columns.indexOf(Math.round(x)), y: y - height / 2, height };
  });
  const passing = passingWires(graph, edges, columns);
  const all = [...nodeItems, ...passing.items];
  const heights = straightened(withFewerCrossings(all, passing.edges), passing.edges, ROW_GAP);
  const snapped = (value: number) => Math.round(value / GRID) * GRID;
  return new Map(
    nodeItems.map(({ key, column }) => {
      const { width, height } = items.get(key) ?? { width: 0, height: 0 };
      const [x, y] = [snapped(lefts[column] ?? 0), snapped(heights.get(key) ?? 0)];
      return [key, { x, y, width, height }];
    }),
  );
}

/** A wire that passes columns gets a place in each, as routed by Dagre. */
function passingWires(
  graph: InstanceType<Dagre["graphlib"]["Graph"]>,
  edges: readonly LayoutEdge[],
  columns: readonly number[],
): { items: LayoutItem[]; edges: LayoutEdge[] } {
  const items: LayoutItem[] = [];
  const parts: LayoutEdge[] = [];
  const routed = new Map<string, { key: string; column: number }[]>();
  for (const joint of edges) {
    const name = `${joint.from}\n${joint.to}`;
    const known = routed.get(name);
    const { points = [] } = graph.edge(joint.from, joint.to) as { points?: Point[] };
    const stops =
      known ??
      points.slice(1, -1).flatMap(({ x, y }, index) => {
        const column = columns.indexOf(Math.round(x));
        if (column < 0) return [];
        const key = `${name}\n${index}`;
        items.push({ key, column, y: y - PASSING_HEIGHT / 2, height: PASSING_HEIGHT });
        return [{ key, column }];
      });
    routed.set(name, stops);
    const half = PASSING_HEIGHT / 2;
    const ends = [
      { key: joint.from, at: joint.fromY, out: joint.fromY },
      ...stops.map(({ key }) => ({ key, at: half, out: half })),
      { key: joint.to, at: joint.toY, out: joint.toY },
    ];
    ends.slice(1).forEach(({ key, at }, index) => {
      const source = ends[index];
      if (source !== undefined) {
        parts.push({ from: source.key, to: key, fromY: source.out, toY: at });
      }
    });
  }
  return { items, edges: parts };
}

/**
 * Boxes of a frame without wires, such as two prompts: stacked vertically in the order of the
 * document.
 */
function stack(items: Boxes): Map<string, Box> {
  const placed = new Map<string, Box>();
  let y = 0;
  for (const [key, box] of [...items].sort(([, one], [, other]) => one.y - other.y)) {
    placed.set(key, { ...box, x: 0, y });
    y = Math.ceil((y + box.height + ROW_GAP) / GRID) * GRID;
  }
  return placed;
}

/** Boxes without wires: in rows below the others, in the order of the document. */
function inRows(items: Boxes, above: Box | null): Map<string, Box> {
  const width = Math.max(ROW_WIDTH, above?.width ?? 0);
  const left = above?.x ?? 0;
  let [x, y, row] = [left, above === null ? 0 : above.y + above.height + COLUMN_GAP, 0];
  const readingOrder = [...items].sort(([, one], [, other]) => one.y - other.y || one.x - other.x);
  const placed = new Map<string, Box>();
  for (const [key, box] of readingOrder) {
    if (x > left && x + box.width > left + width) {
      [x, y, row] = [left, y + row + ROW_GAP, 0];
    }
    placed.set(key, { ...box, x, y: Math.ceil(y / GRID) * GRID });
    x += Math.ceil((box.width + ROW_GAP) / GRID) * GRID;
    row = Math.max(row, box.height);
  }
  return placed;
}
