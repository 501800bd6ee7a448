/**
 * The ports of a subgraph's boundary: add, label, move and remove them, with every instance
 * updated. A port's id and name never change, as wires and values refer to them; users see its
 * label.
 */
import { removeInputs, removeLink } from "./edit";
import {
  type Definition,
  type Graph,
  type GraphNode,
  INPUTS,
  type InputSlot,
  type Link,
  OUTPUTS,
  type OutputSlot,
  slotLabel,
  subgraphOf,
  type Workflow,
} from "./graph";
import { type InnerWidget, widgetsBehind } from "./instances";
import { isObject, type JsonObject } from "./json";
import { instancesOf } from "./levels";

export type Side = "inputs" | "outputs";

interface PortShape {
  name: string;
  type: string;
  label?: string;
  isOptional?: boolean;
  /** The inner node that the port is for; its title tells apart ports of the same label. */
  of?: GraphNode | undefined;
}

export function portsOf(definition: Definition, side: Side): readonly (InputSlot | OutputSlot)[] {
  const { nodes } = definition.graph;
  return side === "inputs" ? (nodes[INPUTS]?.outputs ?? []) : (nodes[OUTPUTS]?.inputs ?? []);
}

/** The index of the input that shows an inner widget, or -1. */
export function portOfWidget(
  workflow: Workflow,
  definition: Definition,
  inner: InnerWidget,
): number {
  return portsOf(definition, "inputs").findIndex((_, slot) =>
    widgetsBehind(definition, slot, workflow.definitions).some(
      (each) => each.node === inner.node && each.widget === inner.widget,
    ),
  );
}

/** The name, with a number added where a port of this side has it. */
function freeName(taken: readonly string[], requested: string): string {
  if (!taken.includes(requested)) return requested;
  for (let count = 1; ; count += 1) {
    if (!taken.includes(`${requested}_${count}`)) return `${requested}_${count}`;
  }
}

/** Adds a port at the end. Returns its index. */
export function addPort(
  workflow: Workflow,
  definition: Definition,
  side: Side,
  { name: requested, type, label: given, isOptional, of: owner }: PortShape,
): number {
  const ports = portsOf(definition, side);
  const taken = ports.map(savedName);
  const free = requested === "" ? type.toLowerCase() : requested;
  const name = freeName(taken, free);
  const isAmbiguous =
    owner !== undefined && ports.some((each) => slotLabel(each) === (given ?? free));
  const label = isAmbiguous ? `${titleOf(owner, workflow)}: ${given ?? free}` : given;
  const saved: JsonObject = {
    id: crypto.randomUUID(),
    name,
    type,
    linkIds: [],
    ...(label === undefined || label === name ? {} : { label }),
    ...(isOptional === true ? { shape: 7 } : {}),
  };
  const { nodes } = definition.graph;
  if (side === "inputs") {
    nodes[INPUTS]?.outputs.push({ name, type, links: [], saved });
    return taken.length;
  }
  nodes[OUTPUTS]?.inputs.push({ name: String(saved.id), type, link: null, widget: null, saved });
  for (const { node } of instancesOf(workflow, definition.id)) {
    while (node.outputs.length < taken.length)
      node.outputs.push(outputSlot(definition, node.outputs.length));
    node.outputs.push(outputSlot(definition, taken.length));
  }
  return taken.length;
}

function titleOf({ title, type }: GraphNode, { definitions }: Workflow): string {
  return title ?? subgraphOf(definitions, type)?.name ?? type;
}

/** The name of a port in the file. */
function savedName(port: InputSlot | OutputSlot): string {
  return typeof port.saved.name === "string" ? port.saved.name : port.name;
}

/** The output slot of an instance for a port. */
export function outputSlot(definition: Definition, slot: number): OutputSlot {
  const port = portsOf(definition, "outputs")[slot];
  const name = port === undefined ? "" : savedName(port);
  const type = port?.type ?? "*";
  const label = port === undefined ? name : slotLabel(port);
  const saved = { name, type, links: [], ...(label === name ? {} : { label }) };
  return { name, type, links: [], saved };
}

export function namePort(
  workflow: Workflow,
  definition: Definition,
  side: Side,
  slot: number,
  label: string,
): void {
  const port = portsOf(definition, side)[slot];
  if (port === undefined) return;
  port.saved = labelled(port.saved, label);
  for (const { node } of instancesOf(workflow, definition.id)) {
    const outer =
      side === "inputs" ? node.inputs.find((each) => each.name === port.name) : node.outputs[slot];
    if (outer !== undefined) outer.saved = labelled(outer.saved, label);
  }
}

function labelled(saved: JsonObject, label: string): JsonObject {
  const { label: _, ...others } = saved;
  return label === "" || label === saved.name ? others : { ...others, label };
}

/** Moves a port to another index on its side. */
export function movePort(
  workflow: Workflow,
  definition: Definition,
  side: Side,
  from: number,
  to: number,
): void {
  const count = portsOf(definition, side).length;
  if (from === to || Math.min(from, to) < 0 || Math.max(from, to) >= count) return;
  const order = Array.from({ length: count }, (_, index) => index);
  order.splice(to, 0, ...order.splice(from, 1));
  const places = new Map(order.map((before, now) => [before, now]));
  const { graph } = definition;
  const place = (slot: number) => places.get(slot) ?? slot;
  if (side === "inputs") {
    const node = graph.nodes[INPUTS];
    if (node === undefined) return;
    node.outputs = arranged(node.outputs, order);
    for (const each of Object.values(graph.links)) {
      if (each.from === INPUTS) relink(each, { fromSlot: place(each.fromSlot) });
    }
    return;
  }
  const node = graph.nodes[OUTPUTS];
  if (node === undefined) return;
  node.inputs = arranged(node.inputs, order);
  for (const each of Object.values(graph.links)) {
    if (each.to === OUTPUTS) relink(each, { toSlot: place(each.toSlot) });
  }
  for (const { graph: around, node: instance } of instancesOf(workflow, definition.id)) {
    while (instance.outputs.length < count) {
      instance.outputs.push(outputSlot(definition, instance.outputs.length));
    }
    instance.outputs = arranged(instance.outputs, order);
    moveSources(around, instance.key, place);
  }
}

function arranged<Item>(items: readonly Item[], order: readonly number[]): Item[] {
  return order.flatMap((index) => items[index] ?? []);
}

function moveSources(graph: Graph, key: string, place: (slot: number) => number): void {
  for (const each of Object.values(graph.links)) {
    if (each.from === key) relink(each, { fromSlot: place(each.fromSlot) });
  }
}

/** Removes a port, with its wires inside, and outside at every instance. */
export function removePort(
  workflow: Workflow,
  definition: Definition,
  side: Side,
  slot: number,
): void {
  const port = portsOf(definition, side)[slot];
  const { graph } = definition;
  if (port === undefined) return;
  const after = (each: number) => (each > slot ? each - 1 : each);
  if (side === "outputs") {
    for (const each of Object.values(graph.links)) {
      if (each.to === OUTPUTS && each.toSlot === slot) removeLink(graph, each.key);
    }
    removeInputs(graph, OUTPUTS, [port.name]);
    for (const { graph: around, node } of instancesOf(workflow, definition.id)) {
      for (const key of [...(node.outputs[slot]?.links ?? [])]) removeLink(around, key);
      node.outputs.splice(slot, 1);
      moveSources(around, node.key, after);
    }
    return;
  }
  const node = graph.nodes[INPUTS];
  for (const key of [...(node?.outputs[slot]?.links ?? [])]) removeLink(graph, key);
  node?.outputs.splice(slot, 1);
  moveSources(graph, INPUTS, after);
  for (const { graph: around, node: instance } of instancesOf(workflow, definition.id)) {
    removeInputs(around, instance.key, [port.name]);
    delete instance.values[port.name];
  }
}

/** Changes the slots of a link, also in its saved form. */
function relink(link: Link, ends: { fromSlot?: number; toSlot?: number }): void {
  const { fromSlot = link.fromSlot, toSlot = link.toSlot } = ends;
  if (fromSlot === link.fromSlot && toSlot === link.toSlot) return;
  link.fromSlot = fromSlot;
  link.toSlot = toSlot;
  link.saved = isObject(link.saved)
    ? { ...link.saved, origin_slot: fromSlot, target_slot: toSlot }
    : null;
}
