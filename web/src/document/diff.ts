/**
 * The difference between two documents: nodes added, removed or changed, and wires. A node that was
 * only moved, resized, collapsed or coloured counts as unchanged. Values are compared by widget
 * name.
 */
import type { Graph, GraphNode, Link, Workflow } from "./graph";
import { equalJson, type Json } from "./json";

interface ValueChange {
  name: string;
  /** undefined where this document has no such value. */
  before: Json | undefined;
  after: Json | undefined;
}

export interface NodeChange {
  /** The node's key in the one document and in the other. */
  before: string;
  after: string;
  values: readonly ValueChange[];
  mode: { before: number; after: number } | null;
  title: { before: string | null; after: string | null } | null;
}

/** A wire by its two ends; keys are those of the document that has it. */
export interface WireChange {
  link: string;
  from: string;
  output: string;
  to: string;
  input: string;
}

interface Difference {
  /** Keys in the other document. */
  added: readonly string[];
  /** Keys in the one document. */
  removed: readonly string[];
  changed: readonly NodeChange[];
  /** Wires of the other document. */
  wiresAdded: readonly WireChange[];
  /** Wires of the one document. */
  wiresRemoved: readonly WireChange[];
}

export function isSame({ added, removed, changed, wiresAdded, wiresRemoved }: Difference): boolean {
  return [added, removed, changed, wiresAdded, wiresRemoved].every((each) => each.length === 0);
}

/** The difference on one level of a document. */
export interface LevelDifference {
  /** The subgraph's id; null is the root. */
  definition: string | null;
  name: string;
  one: Graph;
  other: Graph;
  difference: Difference;
}

/**
 * The difference on every level. A subgraph that only one document has shows as a changed instance.
 */
export function diffWorkflows(one: Workflow, other: Workflow): LevelDifference[] {
  const levels: LevelDifference[] = [
    { definition: null, name: "", one, other, difference: diffGraphs(one, other) },
  ];
  for (const { id, name, graph } of Object.values(other.definitions)) {
    const before = one.definitions[id];
    if (before === undefined) continue;
    const difference = diffGraphs(before.graph, graph);
    levels.push({ definition: id, name, one: before.graph, other: graph, difference });
  }
  return levels.filter(({ difference }) => !isSame(difference));
}

/** The difference from `one` to `other`. */
export function diffGraphs(one: Graph, other: Graph): Difference {
  const pairs = pairNodes(one, other);
  const paired = new Set(pairs.values());
  const changed = [...pairs].flatMap(([before, after]) => {
    const change = changeOf(one.nodes[before], other.nodes[after]);
    return change === null ? [] : [change];
  });
  const [earlier, later] = [wiresOf(one), wiresOf(other)];
  const known = new Set([...later.values()].map(signatureOf));
  const kept = new Set<string>();
  const wiresRemoved = [...earlier.values()].filter((wire) => {
    const [from, to] = [pairs.get(wire.from), pairs.get(wire.to)];
    const signature =
      from === undefined || to === undefined ? "" : signatureOf({ ...wire, from, to });
    if (!known.has(signature)) return true;
    kept.add(signature);
    return false;
  });
  return {
    added: other.order.filter((key) => !paired.has(key)),
    removed: one.order.filter((key) => !pairs.has(key)),
    changed,
    wiresAdded: [...later.values()].filter((wire) => !kept.has(signatureOf(wire))),
    wiresRemoved,
  };
}

/** Pairs the nodes of two graphs: by id and type first, then by similarity. */
function pairNodes(one: Graph, other: Graph): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const key of one.order) {
    if (one.nodes[key] !== undefined && one.nodes[key].type === other.nodes[key]?.type) {
      pairs.set(key, key);
    }
  }
  const taken = new Set(pairs.values());
  const candidates: { before: string; after: string; similarity: number }[] = [];
  for (const before of one.order.filter((key) => !pairs.has(key))) {
    for (const after of other.order) {
      if (taken.has(after)) continue;
      const similarity = similarityOf(one.nodes[before], other.nodes[after]);
      if (similarity > 0) candidates.push({ before, after, similarity });
    }
  }
  // The sort is stable, so ties keep the order of the documents.
  candidates.sort((first, second) => second.similarity - first.similarity);
  for (const { before, after } of candidates) {
    if (pairs.has(before) || taken.has(after)) continue;
    pairs.set(before, after);
    taken.add(after);
  }
  return pairs;
}

/**
 * A score of two nodes of one type, by titles, names of inputs and values; 0 for different types.
 */
function similarityOf(one: GraphNode | undefined, other: GraphNode | undefined): number {
  if (one === undefined || other === undefined || one.type !== other.type) return 0;
  const title = one.title === other.title ? 2 : 0;
  const named = new Set(other.inputs.filter((each) => each.link !== null).map((each) => each.name));
  const linked = one.inputs.filter((each) => each.link !== null);
  const inputs = linked.filter((each) => named.has(each.name)).length / Math.max(linked.length, 1);
  const names = Object.keys(one.values);
  const equal = names.filter((name) => sameValue(one.values[name], other.values[name])).length;
  return 1 + title + inputs + (names.length === 0 ? 1 : equal / names.length);
}

function changeOf(one: GraphNode | undefined, other: GraphNode | undefined): NodeChange | null {
  if (one === undefined || other === undefined) return null;
  const names = [...new Set([...Object.keys(one.values), ...Object.keys(other.values)])];
  const values = names.flatMap((name): ValueChange[] => {
    const [before, after] = [one.values[name], other.values[name]];
    return sameValue(before, after) ? [] : [{ name, before, after }];
  });
  const mode = one.mode === other.mode ? null : { before: one.mode, after: other.mode };
  const title = one.title === other.title ? null : { before: one.title, after: other.title };
  if (values.length === 0 && mode === null && title === null) return null;
  return { before: one.key, after: other.key, values, mode, title };
}

/** 4 and 4n are equal: both are written as the same number. */
function sameValue(one: Json | undefined, other: Json | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  if (typeof one === "bigint" || typeof other === "bigint") return String(one) === String(other);
  return equalJson(one, other);
}

function wiresOf(graph: Graph): Map<string, WireChange> {
  return new Map(
    graph.linkOrder.flatMap((key): [string, WireChange][] => {
      const link = graph.links[key];
      return link === undefined ? [] : [[key, describe(graph, link)]];
    }),
  );
}

function describe(graph: Graph, link: Link): WireChange {
  return {
    link: link.key,
    from: link.from,
    output: graph.nodes[link.from]?.outputs[link.fromSlot]?.name || String(link.fromSlot),
    to: link.to,
    input: graph.nodes[link.to]?.inputs[link.toSlot]?.name || String(link.toSlot),
  };
}

function signatureOf({ from, output, to, input }: WireChange): string {
  return JSON.stringify([from, output, to, input]);
}
