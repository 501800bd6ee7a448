/**
 * Moves the ends of existing links: inserting a node into a wire or detaching it, moving wires to
 * another socket, swapping two inputs. Callers check beforehand whether types fit.
 */
import {
  connect,
  type InputSocket,
  inputSlot,
  reconnectAround,
  removeLink,
  type Socket,
} from "./edit";
import type { Draft, Graph, InputSlot, Link } from "./graph";
import { isObject } from "./json";
import { linksThrough, pointsOf, straighten } from "./reroute";

/** Moves a link's target to another input; that input's previous link is removed. */
export function moveTarget(graph: Draft, key: string, to: InputSocket): void {
  const link = graph.links[key];
  if (link === undefined) return;
  const target = graph.nodes[to.node];
  const slot = inputSlot(graph, to);
  const input = target?.inputs[slot];
  if (input === undefined || input.link === key) return;
  if (input.link !== null) removeLink(graph, input.link);
  for (const each of graph.nodes[link.to]?.inputs ?? []) if (each.link === key) each.link = null;
  input.link = key;
  link.to = to.node;
  link.toSlot = slot;
  dropSavedEnds(link);
}

/**
 * Moves links to another output, along with their reroute points where no other link uses these.
 */
export function moveSources(
  graph: Draft,
  keys: readonly string[],
  from: Socket,
  type: string,
): void {
  const moved = new Set(keys);
  const output = graph.nodes[from.node]?.outputs[from.slot];
  if (output === undefined) throw new Error(`Node ${from.node} has no output ${from.slot}.`);
  for (const key of keys) {
    const link = graph.links[key];
    if (link === undefined) continue;
    const shared = pointsOf(graph, link).some((point) =>
      linksThrough(graph, point.key).some((each) => !moved.has(each)),
    );
    if (shared) straighten(graph, key);
  }
  for (const key of keys) {
    const link = graph.links[key];
    const before = link && graph.nodes[link.from]?.outputs[link.fromSlot];
    if (link === undefined || before === output) continue;
    if (before !== undefined) before.links = before.links.filter((each) => each !== key);
    output.links.push(key);
    link.from = from.node;
    link.fromSlot = from.slot;
    link.type = type;
    dropSavedEnds(link);
  }
}

/** Swaps the sources of two inputs of a node. */
export function swapInputs(graph: Draft, node: string, one: string, other: string): void {
  const inputs = graph.nodes[node]?.inputs ?? [];
  const place = (name: string) => inputs.findIndex((each) => each.name === name);
  const [first, second] = [inputs[place(one)], inputs[place(other)]];
  if (first === undefined || second === undefined) return;
  [first.link, second.link] = [second.link, first.link];
  const settle = (input: InputSlot, slot: number) => {
    const link = input.link === null ? undefined : graph.links[input.link];
    if (link === undefined) return;
    link.toSlot = slot;
    dropSavedEnds(link);
  };
  settle(first, place(one));
  settle(second, place(other));
}

interface WireInsertion {
  /** The input that the wire's source is connected to. */
  into: InputSocket;
  /** The output that is connected to the wire's target. */
  from: Socket;
  type: string;
  /** The number of the wire's points before the node. */
  after: number;
}

/** Inserts a node into a wire. The link keeps its source; a new one leads to its target. */
export function insertIntoLink(graph: Draft, key: string, between: WireInsertion): void {
  const link = graph.links[key];
  const input = link && graph.nodes[link.to]?.inputs[link.toSlot];
  if (link === undefined || input === undefined) return;
  const target: InputSocket = {
    node: link.to,
    name: input.name,
    type: input.type,
    isWidget: input.widget !== null,
  };
  const points = pointsOf(graph, link);
  const [before, following] = [points[between.after - 1], points[between.after]];
  const last = link.reroute;
  const isExclusive =
    following !== undefined && linksThrough(graph, following.key).every((each) => each === key);
  link.reroute = before?.key ?? null;
  moveTarget(graph, key, between.into);
  const next = graph.links[connect(graph, between.from, target, between.type)];
  if (following === undefined || next === undefined || !isExclusive) return;
  const first = graph.reroutes[following.key];
  if (first !== undefined) first.parent = null;
  next.reroute = last;
}

interface OutputInsertion {
  /** The output whose wires the new node takes over, and the new node's input that it feeds. */
  from: Socket;
  into: InputSocket;
  /** The new node's output, from which the wires now begin. */
  out: Socket;
  type: string;
}

/** Inserts a node directly after another: it takes over the wires of these outputs. */
export function insertAfter(graph: Draft, insertions: readonly OutputInsertion[]): void {
  for (const { from, into, out, type } of insertions) {
    const links = graph.nodes[from.node]?.outputs[from.slot]?.links ?? [];
    moveSources(graph, [...links], out, type);
    connect(graph, from, into, type);
  }
}

/** Detaches nodes: their sources are connected to their targets; the nodes stay, unconnected. */
export function detachNodes(graph: Draft, keys: readonly string[]): void {
  reconnectAround(graph, keys);
  for (const key of linksAround(graph, keys)) removeLink(graph, key);
}

/** The links between these nodes and others. */
export function linksAround(graph: Graph, keys: readonly string[]): string[] {
  const taken = new Set(keys);
  return graph.linkOrder.filter((key) => {
    const link = graph.links[key];
    return link !== undefined && taken.has(link.from) !== taken.has(link.to);
  });
}

/** Drops a link's saved ends, which have changed; its other saved fields stay. */
function dropSavedEnds(link: Link): void {
  if (!isObject(link.saved)) {
    link.saved = null;
    return;
  }
  const {
    origin_id: _from,
    origin_slot: _fromSlot,
    target_id: _to,
    target_slot: _toSlot,
    type: _type,
    ...others
  } = link.saved;
  link.saved = others;
}
