/**
 * Reads a saved workflow into a document. Tolerates damage, and refuses only what is not a
 * workflow.
 */
import { readBoundary } from "./boundary";
import {
  type Definition,
  type Graph,
  type GraphNode,
  type Group,
  INPUTS,
  type InputSlot,
  type Link,
  OUTPUTS,
  type OutputSlot,
  type Reroute,
  type WidgetLayout,
  type Workflow,
} from "./graph";
import { nameValues } from "./instances";
import { isObject, type Json, type JsonObject } from "./json";
import { isLink, isNode, repairLevel } from "./repair";
import { drawnBy, namesOf } from "./slots";
import { UserError } from "./userError";
import { isId, listOf, pointOf, sizeOf, textOf, typeOf } from "./values";

/** The given text or value is not a saved workflow; the message says what it is. */
export class NotAWorkflowError extends UserError {}

/** The kind of document of a JSON value. A prompt is a graph in API form, without positions. */
export function kindOf(value: Json): "workflow" | "prompt" | null {
  if (!isObject(value)) return null;
  if (Array.isArray(value.nodes)) return "workflow";
  // Entries beside the nodes, such as a comment, are ignored.
  const entries = Object.values(value).filter((each) => typeof each === "object" && each !== null);
  const isPrompt =
    entries.length > 0 && entries.every((each) => isObject(each) && "class_type" in each);
  return isPrompt ? "prompt" : null;
}

export function readGraph(value: Json, layout: WidgetLayout): Workflow {
  if (!isObject(value) || !Array.isArray(value.nodes)) {
    throw new NotAWorkflowError("This is not a saved workflow: it has no list of nodes.");
  }
  const definitions: Record<string, Definition> = {};
  for (const each of savedDefinitions(value)) {
    if (!isDefinition(each) || Object.hasOwn(definitions, each.id)) continue;
    const name = textOf(each.name) ?? each.id;
    definitions[each.id] = { id: each.id, name, graph: readLevel(each, layout, true) };
  }
  const workflow = { ...readLevel(value, layout, false), definitions };
  nameValues(workflow);
  return workflow;
}

export function savedDefinitions(value: JsonObject): readonly Json[] {
  return isObject(value.definitions) ? listOf(value.definitions.subgraphs) : [];
}

/** Whether a saved definition can be read; others are written back unchanged. */
export function isDefinition(value: Json): value is JsonObject & { id: string; nodes: Json[] } {
  return (
    isObject(value) &&
    typeof value.id === "string" &&
    Array.isArray(value.nodes) &&
    value.id !== "__proto__"
  );
}

/** Reads one graph: the root, or the inside of a subgraph with its boundary. */
function readLevel(found: JsonObject, layout: WidgetLayout, inside: boolean): Graph {
  const { value } = repairLevel(found, inside);
  const nodes: Record<string, GraphNode> = {};
  const order: string[] = [];
  const add = (node: GraphNode) => {
    nodes[node.key] = node;
    order.push(node.key);
  };
  if (inside) readBoundary(value).forEach(add);
  for (const each of listOf(value.nodes)) if (isNode(each)) add(readNode(each, layout));
  const extra = isObject(value.extra) ? value.extra : {};
  const drawn: Drawn = {
    parents: parentsOf(extra.linkExtensions),
    presentation: isObject(extra.linkPresentation) ? extra.linkPresentation : {},
  };
  const links: Record<string, Link> = {};
  const linkOrder: string[] = [];
  for (const each of listOf(value.links).filter(isLink)) {
    const link = readLink(each, nodes, drawn);
    if (link === null || link.key in links) continue;
    links[link.key] = link;
    linkOrder.push(link.key);
  }
  if (inside) joinBoundary(nodes, linkOrder, links);
  const reroutes = listOf(value.reroutes ?? extra.reroutes).map(readReroute);
  const state = isObject(value.state) ? value.state : {};
  return {
    nodes,
    order,
    links,
    linkOrder,
    groups: listOf(value.groups).map(readGroup),
    reroutes: Object.fromEntries(reroutes.map((each) => [each.key, each])),
    lastNodeId: highest(order, value.last_node_id ?? state.lastNodeId),
    lastLinkId: highest(linkOrder, value.last_link_id ?? state.lastLinkId),
    version: value.version === 1 ? 1 : 0.4,
    saved: value,
  };
}

/** Connects the boundary by the list of links, as the ports' own lists may be stale. */
function joinBoundary(
  nodes: Readonly<Record<string, GraphNode>>,
  linkOrder: readonly string[],
  links: Readonly<Record<string, Link>>,
): void {
  for (const key of linkOrder) {
    const link = links[key];
    if (link === undefined) continue;
    if (link.from === INPUTS) nodes[INPUTS]?.outputs[link.fromSlot]?.links.push(key);
    const port = link.to === OUTPUTS ? nodes[OUTPUTS]?.inputs[link.toSlot] : undefined;
    if (port !== undefined) port.link ??= key;
  }
}

export function readNode(value: Json, layout: WidgetLayout): GraphNode {
  if (!isNode(value) || !isId(value.id)) {
    throw new NotAWorkflowError("A node of this workflow has no id or no type.");
  }
  const widgets = value.widgets_values;
  const inputs = listOf(value.inputs).map(readInput);
  const flags = isObject(value.flags) ? value.flags : {};
  let values: JsonObject = {};
  let slots: string[] = [];
  if (Array.isArray(widgets)) {
    slots = namesOf(widgets, layout(value.type, drawnBy(inputs)));
    slots.forEach((name, index) => {
      values[name] = widgets[index] ?? null;
    });
  } else if (isObject(widgets)) {
    values = { ...widgets };
  }
  return {
    key: String(value.id),
    id: value.id,
    type: value.type,
    title: textOf(value.title),
    position: pointOf(value.pos),
    size: sizeOf(value.size),
    mode: typeof value.mode === "number" ? value.mode : 0,
    collapsed: flags.collapsed === true,
    color: textOf(value.color),
    inputs,
    outputs: listOf(value.outputs).map(readOutput),
    values,
    slots,
    saved: value,
  };
}

function readInput(value: Json): InputSlot {
  const saved = isObject(value) ? value : {};
  const widget = isObject(saved.widget) ? saved.widget : {};
  return {
    name: textOf(saved.name) ?? "",
    type: typeOf(saved.type),
    link: isId(saved.link) ? String(saved.link) : null,
    widget: textOf(widget.name),
    saved,
  };
}

function readOutput(value: Json): OutputSlot {
  const saved = isObject(value) ? value : {};
  return {
    name: textOf(saved.name) ?? "",
    type: typeOf(saved.type),
    links: listOf(saved.links).filter(isId).map(String),
    saved,
  };
}

/** What files of the older format say about links outside the list of links. */
interface Drawn {
  parents: Record<string, string>;
  presentation: JsonObject;
}

function readLink(
  value: Json,
  nodes: Record<string, GraphNode>,
  { parents, presentation }: Drawn,
): Link | null {
  const fields = Array.isArray(value)
    ? value
    : isObject(value)
      ? [
          value.id,
          value.origin_id,
          value.origin_slot,
          value.target_id,
          value.target_slot,
          value.type,
        ]
      : [];
  const [id, from, fromSlot, to, toSlot, type] = fields;
  if (!isId(id) || !isId(from) || !isId(to)) return null;
  const key = String(id);
  // Where the link's slot disagrees with the input that names the link, the input is right.
  const named = nodes[String(to)]?.inputs.findIndex((each) => each.link === key) ?? -1;
  const parent = isObject(value) && isId(value.parentId) ? String(value.parentId) : null;
  return {
    key,
    id,
    from: String(from),
    fromSlot: Number(fromSlot ?? 0),
    to: String(to),
    toSlot: named >= 0 ? named : Number(toSlot ?? 0),
    type: typeOf(type),
    reroute: parent ?? parents[key] ?? null,
    portal: portalName(isObject(value) && "hidden" in value ? value : presentation[key]),
    saved: value,
  };
}

/** The name on the tags of a hidden link; null where the link is drawn. */
export function portalName(presentation: Json | undefined): string | null {
  if (!isObject(presentation) || presentation.hidden !== true) return null;
  return textOf(presentation.label) ?? "";
}

function readGroup(value: Json, index: number): Group {
  const saved = isObject(value) ? value : {};
  const [x, y, width, height] = listOf(saved.bounding).map(Number);
  return {
    key: String(index),
    title: textOf(saved.title) ?? "",
    position: { x: x ?? 0, y: y ?? 0 },
    size: { width: width ?? 0, height: height ?? 0 },
    color: textOf(saved.color),
    saved,
  };
}

function readReroute(value: Json): Reroute {
  const saved = isObject(value) ? value : {};
  return {
    key: String(saved.id),
    position: pointOf(saved.pos),
    parent: isId(saved.parentId) ? String(saved.parentId) : null,
    saved,
  };
}

function parentsOf(extensions: Json | undefined): Record<string, string> {
  const parents: Record<string, string> = {};
  for (const each of listOf(extensions)) {
    if (isObject(each) && isId(each.id) && isId(each.parentId)) {
      parents[String(each.id)] = String(each.parentId);
    }
  }
  return parents;
}

function highest(keys: readonly string[], saved: Json | undefined): number {
  return [...keys, saved]
    .map((each) => Number(each ?? 0))
    .filter(Number.isInteger)
    .reduce((most, each) => Math.max(most, each), 0);
}
