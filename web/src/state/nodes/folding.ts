/**
 * Collapsed frames: each is drawn as one box, with a row for every wire that enters or leaves it.
 * This affects drawing only: the document's nodes and wires do not change.
 */
import { encloses } from "../../document/arrange";
import { contentsOf, frameBox, frameState } from "../../document/frames";
import type { Graph, Group, Link, Point } from "../../document/graph";
import { GRID, ROW, TITLE } from "./shape";

export interface FoldRow {
  /** The inner socket of the row: `node:slot` for an output, `node/name` for an input. */
  id: string;
  label: string;
  type: string;
  y: number;
}

export interface Fold {
  group: Group;
  count: number;
  width: number;
  height: number;
  inputs: FoldRow[];
  outputs: FoldRow[];
}

interface Folding {
  folds: readonly Fold[];
  /** Nodes that are not drawn, each with the key of the collapsed frame drawn instead. */
  hidden: ReadonlyMap<string, string>;
  /** Frames that are not drawn because they are inside a collapsed one. */
  hiddenFrames: ReadonlySet<string>;
}

const WIDTH = 200;
const PAD = 6;
const NO_FOLDING: Folding = { folds: [], hidden: new Map(), hiddenFrames: new Set() };

const cache = new WeakMap<Graph, Folding>();

export function foldingOf(graph: Graph): Folding {
  const cached = cache.get(graph);
  if (cached !== undefined) return cached;
  const made = graph.groups.some((each) => frameState(each).collapsed)
    ? computeFolding(graph)
    : NO_FOLDING;
  cache.set(graph, made);
  return made;
}

function computeFolding(graph: Graph): Folding {
  const hidden = new Map<string, string>();
  const hiddenFrames = new Set<string>();
  const area = ({ size }: Group) => size.width * size.height;
  const outermost = graph.groups
    .filter((each) => frameState(each).collapsed)
    .sort((one, other) => area(other) - area(one))
    .filter((each, index, all) =>
      all.slice(0, index).every((other) => !encloses(frameBox(other), frameBox(each))),
    );
  for (const group of outermost) {
    const contents = contentsOf(graph, group);
    for (const key of Object.keys(contents.nodes)) hidden.set(key, hidden.get(key) ?? group.key);
    for (const key of Object.keys(contents.frames)) if (key !== group.key) hiddenFrames.add(key);
  }
  return { folds: outermost.map((each) => foldOf(graph, each, hidden)), hidden, hiddenFrames };
}

function foldOf(graph: Graph, group: Group, hidden: ReadonlyMap<string, string>): Fold {
  const inputs = new Map<string, FoldRow>();
  const outputs = new Map<string, FoldRow>();
  const y = (rows: ReadonlyMap<string, FoldRow>) => TITLE + PAD + rows.size * ROW + ROW / 2;
  for (const key of graph.linkOrder) {
    const link = graph.links[key];
    if (link === undefined) continue;
    const [from, to] = [hidden.get(link.from), hidden.get(link.to)];
    if (from === to) continue;
    if (to === group.key) {
      const id = inputId(graph, link);
      const label = graph.nodes[link.to]?.inputs[link.toSlot]?.name ?? "";
      if (!inputs.has(id)) inputs.set(id, { id, label, type: link.type, y: y(inputs) });
    }
    if (from === group.key) {
      const id = outputId(link);
      const label = graph.nodes[link.from]?.outputs[link.fromSlot]?.name ?? "";
      if (!outputs.has(id)) outputs.set(id, { id, label, type: link.type, y: y(outputs) });
    }
  }
  const rows = Math.max(inputs.size, outputs.size);
  return {
    group,
    count: [...hidden.values()].filter((each) => each === group.key).length,
    width: WIDTH,
    height: Math.ceil((TITLE + 2 * PAD + Math.max(rows, 1) * ROW) / GRID) * GRID,
    inputs: [...inputs.values()],
    outputs: [...outputs.values()],
  };
}

function inputId(graph: Graph, link: Link): string {
  return `${link.to}/${graph.nodes[link.to]?.inputs[link.toSlot]?.name ?? ""}`;
}

function outputId(link: Link): string {
  return `${link.from}:${link.fromSlot}`;
}

/** Where a link is drawn whose end is in a collapsed frame. */
interface FoldedEnd {
  fold: Fold;
  row: string;
  at: Point;
}

export function foldedEnds(
  graph: Graph,
  link: Link,
): { source?: FoldedEnd; target?: FoldedEnd; within: boolean } {
  const { folds, hidden } = foldingOf(graph);
  if (folds.length === 0) return { within: false };
  const [from, to] = [hidden.get(link.from), hidden.get(link.to)];
  if (from !== undefined && from === to) return { within: true };
  const end = (key: string | undefined, side: "inputs" | "outputs", id: string) => {
    const fold = folds.find((each) => each.group.key === key);
    const row = fold?.[side].find((each) => each.id === id);
    if (fold === undefined || row === undefined) return undefined;
    const { x, y } = fold.group.position;
    const at = { x: x + (side === "outputs" ? fold.width : 0), y: y + row.y };
    return { fold, row: id, at };
  };
  const source = end(from, "outputs", outputId(link));
  const target = end(to, "inputs", inputId(graph, link));
  return {
    within: false,
    ...(source === undefined ? {} : { source }),
    ...(target === undefined ? {} : { target }),
  };
}
