/**
 * Writes a document as a saved workflow. What was not edited is written exactly as read; edits are
 * laid over it.
 */
import { writeBoundary } from "./boundary";
import {
  type Definition,
  type Graph,
  type GraphNode,
  type Group,
  type InputSlot,
  isBoundary,
  type OutputSlot,
  subgraphOf,
  type Workflow,
} from "./graph";
import { writeInstanceValues } from "./instances";
import { equalJson, isObject, type Json, type JsonObject } from "./json";
import { subgraphsUsedBy } from "./levels";
import { isDefinition, savedDefinitions } from "./read";
import { isLink, isNode } from "./repair";
import { isPositionalName } from "./slots";
import { listOf, pointOf, sizeOf } from "./values";
import { idOf, writeDrawing, writeLink } from "./wireDrawing";

export function writeGraph(workflow: Workflow): JsonObject {
  const written = writeLevel(workflow, workflow);
  const subgraphs = writeDefinitions(workflow);
  if (subgraphs.length > 0 || isObject(written.definitions)) {
    const before = isObject(written.definitions) ? written.definitions : {};
    if (subgraphs.length > 0 || "subgraphs" in before) {
      written.definitions = { ...before, subgraphs };
    }
  }
  return written;
}

/**
 * Definitions in the file's order, including unreadable ones; new ones are last. Those whose last
 * instance was removed are left out.
 */
function writeDefinitions(workflow: Workflow): Json[] {
  const left = usedDefinitions(workflow);
  const seen = new Set<string>();
  const written = savedDefinitions(workflow.saved).flatMap((each): Json[] => {
    if (!isDefinition(each) || seen.has(each.id)) return [each];
    seen.add(each.id);
    const definition = left.get(each.id);
    left.delete(each.id);
    return definition === undefined ? [] : [writeDefinition(definition, workflow)];
  });
  for (const each of left.values()) written.push(writeDefinition(each, workflow));
  return written;
}

/** The definitions that a node uses, and those that already had no instance in the file. */
function usedDefinitions(workflow: Workflow): Map<string, Definition> {
  const saved = new Map(
    savedDefinitions(workflow.saved).flatMap((each) =>
      isDefinition(each) ? [[each.id, each]] : [],
    ),
  );
  const neededBefore = new Set<string>();
  const waiting = savedTypes(workflow.saved);
  for (let type = waiting.pop(); type !== undefined; type = waiting.pop()) {
    const definition = saved.get(type);
    if (definition === undefined || neededBefore.has(type)) continue;
    neededBefore.add(type);
    waiting.push(...savedTypes(definition));
  }
  const unneeded = [...saved.keys()].filter((id) => !neededBefore.has(id));
  const types = Object.values(workflow.nodes).map((each) => each.type);
  const used = new Set(subgraphsUsedBy(workflow, [...types, ...unneeded]));
  return new Map(Object.entries(workflow.definitions).filter(([, each]) => used.has(each)));
}

function savedTypes(graph: JsonObject): string[] {
  const nodes = Array.isArray(graph.nodes) ? graph.nodes : [];
  return nodes.flatMap((each) => (isObject(each) ? [String(each.type)] : []));
}

export function writeDefinition({ id, name, graph }: Definition, workflow: Workflow): JsonObject {
  const written = { ...writeLevel(graph, workflow), ...writeBoundary(graph) };
  written.id = id;
  if (name !== (graph.saved.name ?? id)) written.name = name;
  return written;
}

/** One graph, without the definitions beside it. */
export function writeLevel(graph: Graph, workflow: Workflow): JsonObject {
  const written: JsonObject = { ...graph.saved };
  written.nodes = graph.order.flatMap((key) => {
    const node = graph.nodes[key];
    return node === undefined || isBoundary(key) ? [] : [writeNode(node, workflow)];
  });
  written.nodes.push(...unreadNodes(graph));
  const kept = unreadLinks(graph);
  const links = graph.linkOrder.flatMap((key) => {
    const link = graph.links[key];
    return link === undefined ? [] : [writeLink(link, graph.version)];
  });
  if (links.length > 0 || "links" in graph.saved) written.links = [...links, ...kept];
  if (graph.groups.length > 0 || "groups" in graph.saved) {
    written.groups = graph.groups.map(writeGroup);
  }
  writeCounters(graph, written);
  writeDrawing(graph, written);
  return written;
}

/** Entries that are not nodes, or links without two ends, are kept as in the file. */
function unreadNodes({ saved }: Graph): Json[] {
  return listOf(saved.nodes).filter((each) => !isNode(each));
}

function unreadLinks({ saved }: Graph): Json[] {
  return listOf(saved.links).filter((each) => !isLink(each));
}

/** A counter may be too low in a file; it is raised only once something was added. */
function writeCounters(graph: Graph, written: JsonObject): void {
  const { saved } = graph;
  const own = graph.order.filter((key) => !isBoundary(key));
  const nodes = edited(own, saved.nodes);
  const links = edited(graph.linkOrder, saved.links);
  if (graph.version !== 1) {
    if (nodes) written.last_node_id = graph.lastNodeId;
    if (links) written.last_link_id = graph.lastLinkId;
    return;
  }
  if (!nodes && !links) return;
  const state = isObject(written.state) ? written.state : {};
  written.state = {
    ...state,
    ...(nodes ? { lastNodeId: graph.lastNodeId } : {}),
    ...(links ? { lastLinkId: graph.lastLinkId } : {}),
  };
}

/** Whether some of these keys are not in the file. */
function edited(keys: readonly string[], saved: Json | undefined): boolean {
  const before = new Set(
    (Array.isArray(saved) ? saved : []).map((each) =>
      String(Array.isArray(each) ? each[0] : isObject(each) ? each.id : ""),
    ),
  );
  return keys.some((key) => !before.has(key));
}

function writeNode(node: GraphNode, workflow: Workflow): JsonObject {
  const { saved } = node;
  const written: JsonObject = { ...saved };
  const { x, y } = pointOf(saved.pos);
  if (x !== node.position.x || y !== node.position.y) {
    written.pos = [node.position.x, node.position.y];
  }
  const { width, height } = sizeOf(saved.size);
  if (width !== node.size.width || height !== node.size.height) {
    written.size = [node.size.width, node.size.height];
  }
  setOrRemove(written, "title", node.title);
  setOrRemove(written, "color", node.color);
  if (node.mode !== (saved.mode ?? 0)) written.mode = node.mode;
  const flags = isObject(saved.flags) ? saved.flags : {};
  if (node.collapsed !== (flags.collapsed === true)) {
    const { collapsed: _, ...others } = flags;
    written.flags = node.collapsed ? { ...others, collapsed: true } : others;
  }
  if (node.inputs.length > 0 || "inputs" in saved) written.inputs = node.inputs.map(writeInput);
  if (node.outputs.length > 0 || "outputs" in saved) {
    written.outputs = node.outputs.map(writeOutput);
  }
  const isInstance = subgraphOf(workflow.definitions, node.type) !== undefined;
  if (isInstance) writeInstanceValues(node, workflow, written);
  else writeValues(node, written);
  return written;
}

function setOrRemove(written: JsonObject, name: string, value: string | null): void {
  if (value !== null) written[name] = value;
  else if (typeof written[name] === "string") delete written[name];
}

function writeInput(slot: InputSlot): JsonObject {
  const before = slot.saved.link == null ? null : String(slot.saved.link);
  if (before === slot.link) return slot.saved;
  return { ...slot.saved, link: idOf(slot.link) };
}

function writeOutput(slot: OutputSlot): JsonObject {
  const before = Array.isArray(slot.saved.links) ? slot.saved.links.map(String) : [];
  if (equalJson(before, slot.links)) return slot.saved;
  return { ...slot.saved, links: slot.links.map(idOf) };
}

function writeValues(node: GraphNode, written: JsonObject): void {
  const { saved, values, slots } = node;
  const before = saved.widgets_values;
  if (isObject(before)) {
    written.widgets_values = { ...before, ...values };
    return;
  }
  const list = Array.isArray(before) ? before : [];
  const changed: JsonObject = {};
  slots.forEach((name, index) => {
    const value = values[name] ?? null;
    if (index >= list.length || !Object.is(list[index] ?? null, value)) changed[name] = value;
  });
  if (Object.keys(changed).length === 0) return;
  written.widgets_values = slots.map((name) => values[name] ?? null);
  if (isObject(saved.widgets_values_named)) {
    written.widgets_values_named = writeNamed(saved.widgets_values_named, slots, changed);
  }
}

/** The named copy of a node's values, with those that have changed. */
function writeNamed(before: JsonObject, slots: readonly string[], changed: JsonObject): JsonObject {
  const names = Object.keys(before);
  // A version of the class that has more values than ours may have any of these names.
  const isOurs = !slots.some(isPositionalName);
  const isRemoved = (name: string) =>
    // Values that a choice brought are removed with it.
    isOurs &&
    !slots.includes(name) &&
    Object.keys(changed).some((each) => name.startsWith(`${each}.`));
  const kept = Object.entries(before).filter(([name]) => !isRemoved(name));
  const named = Object.entries(changed).flatMap(([name, value]) => {
    if (!isPositionalName(name)) return [[name, value]];
    // Where the class is unknown, its names are in the order of its values.
    const found = names.length === slots.length ? names[slots.indexOf(name)] : undefined;
    return found === undefined ? [] : [[found, value]];
  });
  return Object.fromEntries([...kept, ...named]);
}

function writeGroup(group: Group): JsonObject {
  const { saved, position, size } = group;
  const bounding = [position.x, position.y, size.width, size.height];
  const written: JsonObject = { ...saved };
  if (!equalJson(saved.bounding, bounding)) written.bounding = bounding;
  if (group.title !== (saved.title ?? "")) written.title = group.title;
  setOrRemove(written, "color", group.color);
  return written;
}
