/** Unpacks an instance of a subgraph into its nodes: the inverse of `subgraph.ts`. */
import { copyLink, cornerOf, plain, withoutLinks } from "./border";
import { addNode, removeNodes, setValue } from "./edit";
import {
  type Definition,
  type Draft,
  type Graph,
  type GraphNode,
  INPUTS,
  isBoundary,
  type Link,
  MODE,
  OUTPUTS,
  type Point,
  subgraphOf,
  type WidgetLayout,
  type Workflow,
} from "./graph";
import { movedSinceCreation } from "./instanceOrigin";
import type { Json } from "./json";
import { instancesOf } from "./levels";
import { portsOf } from "./ports";
import { isPositionalName } from "./slots";

interface Source {
  node: string;
  slot: number;
}

interface OuterLinks {
  /** The sources of the instance, by the names of its inputs. */
  sources: ReadonlyMap<string, Source>;
  /** The links from the instance's outputs. */
  outgoing: readonly Link[];
  values: Readonly<Record<string, Json>>;
}

/**
 * Replaces an instance by its nodes, with the same connections; its values are written to the inner
 * widgets. The subgraph is removed with its last instance. Returns the keys of the nodes.
 */
export function unpack(
  workflow: Workflow,
  graph: Draft,
  key: string,
  layout: WidgetLayout,
): string[] {
  const instance = graph.nodes[key];
  const definition = subgraphOf(workflow.definitions, instance?.type);
  if (instance === undefined || definition === undefined) return [];
  const outer = outerLinks(graph, instance);
  const { mode } = instance;
  const by = movedSinceCreation(instance) ?? offsetTo(definition.graph, plain(instance).position);
  removeNodes(graph, [key]);
  const keys = placeNodes(graph, definition.graph, by, mode);
  linkNodes(graph, definition, keys, outer, layout);
  linkOutputs(graph, definition, keys, outer);
  if (instancesOf(workflow, definition.id).length === 0) {
    delete workflow.definitions[definition.id];
  }
  return [...keys.values()];
}

function outerLinks(graph: Graph, instance: GraphNode): OuterLinks {
  const sources = new Map<string, Source>();
  for (const { name, link: key } of instance.inputs) {
    const link = key === null ? undefined : graph.links[key];
    if (link !== undefined) sources.set(name, { node: link.from, slot: link.fromSlot });
  }
  const outgoing = graph.linkOrder.flatMap((key) => {
    const link = graph.links[key];
    return link?.from === instance.key ? [plain(link)] : [];
  });
  return { sources, outgoing, values: plain(instance.values) };
}

function nodesOf(inner: Graph): GraphNode[] {
  return inner.order.flatMap((key) => (isBoundary(key) ? [] : (inner.nodes[key] ?? [])));
}

/** The offset that moves the nodes' top left corner to a point. */
function offsetTo(inner: Graph, { x, y }: Point): Point {
  const nodes = nodesOf(inner);
  const corner = nodes.length === 0 ? { x, y } : cornerOf(nodes);
  return { x: x - corner.x, y: y - corner.y };
}

/** Adds the nodes. Returns the new keys by the old ones; a key is kept where it is free. */
function placeNodes(graph: Draft, inner: Graph, by: Point, mode: number): Map<string, string> {
  const nodes = nodesOf(inner);
  const moved = ({ x, y }: Point) => ({ x: x + by.x, y: y + by.y });
  const keys = new Map<string, string>();
  for (const node of nodes) {
    const isFree = !(node.key in graph.nodes);
    const id = isFree ? node.id : Math.max(graph.lastNodeId, inner.lastNodeId) + 1;
    const made = withoutLinks(node);
    keys.set(node.key, String(id));
    addNode(graph, {
      ...made,
      key: String(id),
      id,
      position: moved(node.position),
      mode: mode === MODE.always ? node.mode : mode,
      saved: isFree ? made.saved : { ...made.saved, id },
    });
  }
  for (const point of Object.values(inner.reroutes)) {
    graph.reroutes[point.key] ??= { ...plain(point), position: moved(point.position) };
  }
  for (const group of inner.groups) {
    const isTaken = graph.groups.some((each) => each.key === group.key);
    const key = isTaken ? crypto.randomUUID() : group.key;
    graph.groups.push({ ...plain(group), key, position: moved(group.position) });
  }
  return keys;
}

function linkNodes(
  graph: Draft,
  definition: Definition,
  keys: ReadonlyMap<string, string>,
  { sources, values }: OuterLinks,
  layout: WidgetLayout,
): void {
  const { links, linkOrder } = definition.graph;
  const ports = portsOf(definition, "inputs");
  const setInner = (key: string, widget: string, value: Json) => {
    const node = graph.nodes[key];
    if (node === undefined || value === null) return;
    setValue(graph, key, entryOf(node, widget), value, layout(node.type) ?? []);
  };
  for (const each of linkOrder) {
    const link = links[each];
    const to = link && keys.get(link.to);
    if (link === undefined || to === undefined) continue;
    const from = keys.get(link.from);
    if (from !== undefined) {
      copyLink(graph, plain(link), from, link.fromSlot, to, link.toSlot);
      continue;
    }
    const port = ports[link.fromSlot];
    const source = port && sources.get(port.name);
    const input = graph.nodes[to]?.inputs[link.toSlot];
    if (source !== undefined) {
      copyLink(graph, plain(link), source.node, source.slot, to, link.toSlot);
    } else if (port !== undefined && input !== undefined) {
      setInner(to, input.widget ?? input.name, values[port.name] ?? null);
    }
  }
  // The promotions of old files without an input.
  for (const [name, value] of Object.entries(values)) {
    const [node = "", widget = ""] = name.split("/", 2);
    const to = widget === "" ? undefined : keys.get(node);
    if (to !== undefined) setInner(to, widget, value);
  }
}

/** A widget's entry in the saved list; by index where the class of the node is unknown. */
function entryOf(node: GraphNode, widget: string): string {
  if (widget in node.values || !node.slots.every(isPositionalName)) return widget;
  const widgets = node.inputs.flatMap((each) => each.widget ?? []);
  const index = widgets.indexOf(widget);
  return index >= 0 && widgets.length === node.slots.length
    ? (node.slots[index] ?? widget)
    : widget;
}

function linkOutputs(
  graph: Draft,
  definition: Definition,
  keys: ReadonlyMap<string, string>,
  { sources, outgoing }: OuterLinks,
): void {
  const inner = definition.graph;
  const ports = portsOf(definition, "inputs");
  for (const link of outgoing) {
    const linkKey = inner.nodes[OUTPUTS]?.inputs[link.fromSlot]?.link;
    const last = linkKey == null ? undefined : inner.links[linkKey];
    if (last === undefined) continue;
    const port = last.from === INPUTS ? ports[last.fromSlot] : undefined;
    const from = keys.get(last.from);
    const source =
      from === undefined ? port && sources.get(port.name) : { node: from, slot: last.fromSlot };
    if (source !== undefined) {
      copyLink(graph, link, source.node, source.slot, link.to, link.toSlot);
    }
  }
}
