/**
 * The basic edits of a document. Each works on a draft (see `log.ts`) and keeps links, inputs and
 * outputs consistent. Callers check beforehand whether the types of two sockets fit.
 */
import { isPinned } from "./flags";
import {
  type Draft,
  type Graph,
  type GraphNode,
  type Group,
  isBoundary,
  type Link,
  type Point,
  type Size,
  type WidgetSlot,
} from "./graph";
import { isObject, type Json } from "./json";
import { movePointsWith, straighten } from "./reroute";
import { allSlots, entriesOf, isPositionalName, slotNamed } from "./slots";

export interface Socket {
  node: string;
  slot: number;
}

/** An input by name; the slot of a widget is created when a link is connected to it. */
export interface InputSocket {
  node: string;
  name: string;
  type: string;
  isWidget: boolean;
}

export function addNode(graph: Draft, node: GraphNode): void {
  graph.nodes[node.key] = node;
  graph.order.push(node.key);
  if (typeof node.id === "number") graph.lastNodeId = Math.max(graph.lastNodeId, node.id);
}

/**
 * Removes nodes with their links. The boundary of a subgraph stays; its ports are edited singly.
 */
export function removeNodes(graph: Draft, keys: readonly string[]): void {
  const removed = new Set(keys.filter((key) => !isBoundary(key)));
  for (const link of Object.values(graph.links)) {
    if (removed.has(link.from) || removed.has(link.to)) removeLink(graph, link.key);
  }
  for (const key of removed) delete graph.nodes[key];
  graph.order = graph.order.filter((key) => !removed.has(key));
}

/** Removes nodes, and connects their sources to their targets where the types are the same. */
export function removeAndReconnect(graph: Draft, keys: readonly string[]): void {
  reconnectAround(graph, keys);
  removeNodes(graph, keys);
}

/** Connects the sources of these nodes directly to their targets where the types are the same. */
export function reconnectAround(graph: Draft, keys: readonly string[]): void {
  const removed = new Set(keys.filter((key) => !isBoundary(key)));
  for (const key of removed) {
    for (const output of graph.nodes[key]?.outputs ?? []) {
      const source = upstreamSource(graph, key, output.type, removed);
      if (source === undefined) continue;
      for (const linkKey of [...output.links]) {
        const link = graph.links[linkKey];
        const input = link && graph.nodes[link.to]?.inputs[link.toSlot];
        if (link === undefined || input === undefined || removed.has(link.to)) continue;
        connect(
          graph,
          { node: source.from, slot: source.fromSlot },
          { node: link.to, name: input.name, type: input.type, isWidget: input.widget !== null },
          source.type,
        );
      }
    }
  }
}

/**
 * The link that brings this type into a node from outside, upstream through nodes that are removed
 * too.
 */
function upstreamSource(
  graph: Graph,
  start: string,
  type: string,
  removed: ReadonlySet<string>,
): Link | undefined {
  const seen = new Set<string>();
  let at = start;
  while (!seen.has(at)) {
    seen.add(at);
    const feeding = graph.nodes[at]?.inputs.find(
      (each) => each.type === type && each.link !== null,
    );
    const source = feeding?.link == null ? undefined : graph.links[feeding.link];
    if (source === undefined || !removed.has(source.from)) return source;
    at = source.from;
  }
  return undefined;
}

/**
 * Connects an output to an input; the input's previous link is removed. Returns the new link's key.
 */
export function connect(graph: Draft, from: Socket, to: InputSocket, type: string): string {
  const target = requireNode(graph, to.node);
  const output = requireNode(graph, from.node).outputs[from.slot];
  if (output === undefined) throw new Error(`Node ${from.node} has no output ${from.slot}.`);
  const toSlot = inputSlot(graph, to);
  const input = target.inputs[toSlot];
  if (input === undefined) throw new Error(`Node ${to.node} has no input ${to.name}.`);
  if (input.link !== null) removeLink(graph, input.link);
  graph.lastLinkId += 1;
  const link: Link = {
    key: String(graph.lastLinkId),
    id: graph.lastLinkId,
    from: from.node,
    fromSlot: from.slot,
    to: to.node,
    toSlot,
    type,
    reroute: null,
    portal: null,
    saved: null,
  };
  graph.links[link.key] = link;
  graph.linkOrder.push(link.key);
  input.link = link.key;
  output.links.push(link.key);
  return link.key;
}

/** The index of an input; it is created where the node has none of this name. */
export function inputSlot(graph: Draft, to: InputSocket): number {
  const { inputs } = requireNode(graph, to.node);
  const found = inputs.findIndex((each) => each.name === to.name);
  if (found >= 0) return found;
  const widget = to.isWidget ? to.name : null;
  const { name, type } = to;
  const saved = {
    name,
    type,
    ...(widget === null ? {} : { widget: { name: widget } }),
    link: null,
  };
  return inputs.push({ name, type, link: null, widget, saved }) - 1;
}

export function removeLink(graph: Draft, key: string): void {
  const link = graph.links[key];
  if (link === undefined) return;
  straighten(graph, key);
  const output = graph.nodes[link.from]?.outputs[link.fromSlot];
  if (output !== undefined) output.links = output.links.filter((each) => each !== key);
  for (const input of graph.nodes[link.to]?.inputs ?? []) {
    if (input.link === key) input.link = null;
  }
  delete graph.links[key];
  graph.linkOrder = graph.linkOrder.filter((each) => each !== key);
}

/** Moves nodes, except pinned ones. */
export function moveNodes(graph: Draft, positions: Readonly<Record<string, Point>>): void {
  const moved = Object.entries(positions).filter(([key]) => !isPinned(requireNode(graph, key)));
  movePointsWith(graph, Object.fromEntries(moved));
  for (const [key, position] of moved) requireNode(graph, key).position = position;
}

export function resizeNode(graph: Draft, key: string, size: Size): void {
  requireNode(graph, key).size = size;
}

/**
 * Sets a widget. `layout` supplies defaults for earlier entries that a short saved list omits. A
 * choice with nested entries replaces those of the previous choice with its own.
 */
export function setValue(
  graph: Draft,
  key: string,
  name: string,
  value: Json,
  layout: readonly WidgetSlot[] = [],
): void {
  const node = requireNode(graph, key);
  node.values[name] = value;
  if (slotNamed(layout, name)?.nested !== undefined) {
    rebuildSlots(node, layout);
    return;
  }
  if (node.slots.includes(name)) return;
  for (const slot of entriesOf(layout, node.values)) {
    if (node.slots.includes(slot.name)) continue;
    node.slots.push(slot.name);
    if (!(slot.name in node.values)) node.values[slot.name] = slot.default;
    if (slot.name === name) return;
  }
  // A choice typed into the node itself: an entry after those in the layout.
  if (isPositionalName(name)) node.slots.push(name);
}

/**
 * Rebuilds the node's entries in the order of the layout; entries only the file has stay at the
 * end.
 */
function rebuildSlots(node: GraphNode, layout: readonly WidgetSlot[]): void {
  const before = new Set(node.slots);
  const named = new Set(allSlots(layout).map((each) => each.name));
  const entries = entriesOf(layout, node.values).filter(
    (each, index, all) =>
      each.kind !== "control" || before.has(each.name) || !before.has(all[index - 1]?.name ?? ""),
  );
  node.slots = [
    ...entries.map((each) => each.name),
    ...node.slots.filter((name) => !named.has(name)),
  ];
  for (const { name, default: standard } of entries) {
    if (!(name in node.values)) node.values[name] = standard;
  }
}

/** Removes inputs and the links into them. */
export function removeInputs(graph: Draft, key: string, names: readonly string[]): void {
  const node = requireNode(graph, key);
  const removed = new Set(names);
  for (const input of node.inputs) {
    if (removed.has(input.name) && input.link !== null) removeLink(graph, input.link);
  }
  node.inputs = node.inputs.filter((each) => !removed.has(each.name));
  node.inputs.forEach((input, slot) => {
    const link = input.link === null ? undefined : graph.links[input.link];
    if (link === undefined || link.toSlot === slot) return;
    link.toSlot = slot;
    link.saved = isObject(link.saved) ? { ...link.saved, target_slot: slot } : null;
  });
}

export function setTitle(graph: Draft, key: string, title: string): void {
  requireNode(graph, key).title = title === "" ? null : title;
}

export function setMode(graph: Draft, keys: readonly string[], mode: number): void {
  for (const key of keys) if (!isBoundary(key)) requireNode(graph, key).mode = mode;
}

export function setCollapsed(graph: Draft, keys: readonly string[], collapsed: boolean): void {
  for (const key of keys) if (!isBoundary(key)) requireNode(graph, key).collapsed = collapsed;
}

export function addGroup(graph: Draft, group: Group): void {
  graph.groups.push(group);
}

export function changeGroup(graph: Draft, key: string, change: Partial<Group>): void {
  const group = graph.groups.find((each) => each.key === key);
  if (group !== undefined) Object.assign(group, change);
}

export function removeGroup(graph: Draft, key: string): void {
  graph.groups = graph.groups.filter((each) => each.key !== key);
}

function requireNode(graph: Draft, key: string): GraphNode {
  const node = graph.nodes[key];
  if (node === undefined) throw new Error(`There is no node ${key}.`);
  return node;
}
