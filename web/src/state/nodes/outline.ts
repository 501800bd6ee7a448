/**
 * The document as a tree, for screen readers and keyboard use: frames and subgraphs contain nodes,
 * each after its sources. Rows are built in order; their details are computed one by one on demand.
 */
import type { Catalog } from "../../api/catalog";
import { frameAround, framesIn, nodesIn } from "../../document/frames";
import { type Graph, type Group, subgraphOf, type Workflow } from "../../document/graph";
import type { Path } from "../../document/levels";
import { neighbours } from "../../document/navigation";
import { lacksClass } from "./missing";
import { nameIn } from "./naming";

export interface OutlineRow {
  /** Unique among the rows, and unchanged by edits. */
  id: string;
  kind: "node" | "frame";
  /** The key of the node or the frame in the graph at `path`. */
  key: string;
  path: Path;
  title: string;
  /** The depth in the tree, from 1. */
  level: number;
  /** The row's number among its siblings, and their count. */
  place: number;
  count: number;
  /** Whether it is expanded; null where it has no children. */
  open: boolean | null;
  /** Whether a class is not on the server: the node's own, or one inside. */
  missing: boolean;
}

/** Frames are expanded unless the user closed them, subgraphs only where the user opened them. */
export interface Folds {
  closed: ReadonlySet<string>;
  opened: ReadonlySet<string>;
}

interface OutlineBuilder {
  workflow: Workflow;
  catalog: Catalog;
  folds: Folds;
  rows: OutlineRow[];
}

/** Protects against a damaged file in which a subgraph contains itself. */
const MAX_DEPTH = 12;

export function outlineOf(workflow: Workflow, catalog: Catalog, folds: Folds): OutlineRow[] {
  const builder: OutlineBuilder = { workflow, catalog, folds, rows: [] };
  addGraph(builder, workflow, [], 1);
  return builder.rows;
}

function addGraph(builder: OutlineBuilder, graph: Graph, path: Path, level: number): void {
  const inFrame = new Map<string | null, string[]>();
  for (const key of byFlow(graph)) {
    const frame = frameAround(graph, key)?.key ?? null;
    inFrame.set(frame, [...(inFrame.get(frame) ?? []), key]);
  }
  const around = new Map(graph.groups.map((each) => [each.key, enclosingFrame(graph, each)]));
  const add = (frame: string | null, depth: number) => {
    const frames = graph.groups.filter((each) => (around.get(each.key) ?? null) === frame);
    const nodes = inFrame.get(frame) ?? [];
    const count = frames.length + nodes.length;
    frames.forEach((group, index) => {
      const id = [...path, `frame ${group.key}`].join(":");
      const open = !builder.folds.closed.has(id);
      const place = index + 1;
      const { key, title } = group;
      const missing = nodesIn(graph, group).some((each) => isMissing(builder, graph, each));
      const at = { level: depth, place, count };
      builder.rows.push({ id, kind: "frame", key, path, title, open, missing, ...at });
      if (open) add(group.key, depth + 1);
    });
    nodes.forEach((key, index) => {
      addNode(builder, graph, path, { key, level: depth, place: frames.length + index + 1, count });
    });
  };
  add(null, level);
}

interface Place {
  key: string;
  level: number;
  place: number;
  count: number;
}

function addNode(builder: OutlineBuilder, graph: Graph, path: Path, at: Place): void {
  const node = graph.nodes[at.key];
  if (node === undefined) return;
  const { workflow, catalog, folds, rows } = builder;
  const inside = subgraphOf(workflow.definitions, node.type);
  const id = [...path, at.key].join(":");
  const open = inside === undefined ? null : folds.opened.has(id) && path.length < MAX_DEPTH;
  const title = nameIn(graph, catalog, at.key) || node.type;
  const missing = isMissing(builder, graph, at.key);
  rows.push({ id, kind: "node", path, title, open, missing, ...at });
  if (open === true && inside !== undefined) {
    addGraph(builder, inside.graph, [...path, at.key], at.level + 1);
  }
}

function isMissing({ workflow, catalog }: OutlineBuilder, graph: Graph, key: string): boolean {
  const node = graph.nodes[key];
  return node !== undefined && lacksClass(node, catalog, workflow.definitions);
}

/** The smallest frame that contains a frame. */
function enclosingFrame(graph: Graph, group: Group): string | null {
  const area = ({ size }: Group) => size.width * size.height;
  const [first] = graph.groups
    .filter((each) => framesIn(graph, each).includes(group))
    .sort((one, other) => area(one) - area(other));
  return first?.key ?? null;
}

/** Each node after its sources, else from left to right and top to bottom. */
function byFlow(graph: Graph): string[] {
  const place = (key: string) => graph.nodes[key]?.position ?? { x: 0, y: 0 };
  const byPosition = [...graph.order].sort(
    (one, other) => place(one).x - place(other).x || place(one).y - place(other).y,
  );
  const ordered: string[] = [];
  const seen = new Set<string>();
  for (const start of byPosition) {
    const open: { key: string; sourcesAdded: boolean }[] = [{ key: start, sourcesAdded: false }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next.sourcesAdded) {
        ordered.push(next.key);
        continue;
      }
      if (seen.has(next.key)) continue;
      seen.add(next.key);
      open.push({ key: next.key, sourcesAdded: true });
      for (const each of neighbours(graph, next.key, "left").reverse()) {
        if (!seen.has(each)) open.push({ key: each, sourcesAdded: false });
      }
    }
  }
  return ordered;
}

/** The next row after `from` whose title begins with the typed text. */
export function rowStartingWith(rows: readonly OutlineRow[], typed: string, from: number): number {
  const prefix = typed.toLowerCase();
  for (let step = 0; step < rows.length; step += 1) {
    const index = (from + step) % rows.length;
    if (rows[index]?.title.toLowerCase().startsWith(prefix)) return index;
  }
  return -1;
}
