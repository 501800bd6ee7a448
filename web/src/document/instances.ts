/**
 * The values that an instance of a subgraph holds for inner widgets, in the three forms used by
 * files. In the document they are named after the subgraph's inputs; those that an old file
 * promotes without an input are named `node/widget`.
 */
import { type Definition, type GraphNode, INPUTS, subgraphOf, type Workflow } from "./graph";
import { isObject, type Json, type JsonObject } from "./json";
import { isPositionalName, positionalName } from "./slots";
import { listOf } from "./values";

/** The node id that, in an old promotion, means the subgraph's own input. */
const OWN_INPUT = "-1";
const NUMBER_PREFIX = /^\d+: /;

interface Promotion {
  node: string;
  widget: string;
  /** Whether it shows an inner node's preview and holds no value. */
  isPreview: boolean;
}

/** A widget inside a subgraph; it may itself be a promoted one of an inner instance. */
export interface InnerWidget {
  node: string;
  widget: string;
}

/** The promotions of an instance from an old file. */
export function promotionsOf(node: GraphNode): Promotion[] {
  const properties = isObject(node.saved.properties) ? node.saved.properties : {};
  return listOf(properties.proxyWidgets).flatMap((each): Promotion[] => {
    if (!Array.isArray(each) || each.length < 2) return [];
    const widget = String(each[1]).replace(NUMBER_PREFIX, "");
    return [{ node: String(each[0]), widget, isPreview: widget.startsWith("$$") }];
  });
}

/** The widgets fed by an input of a subgraph, in the order of its wires. */
export function widgetsBehind(
  { graph }: Definition,
  slot: number,
  definitions: Readonly<Record<string, Definition>>,
): InnerWidget[] {
  const found: InnerWidget[] = [];
  for (const key of graph.nodes[INPUTS]?.outputs[slot]?.links ?? []) {
    const link = graph.links[key];
    const target = link && graph.nodes[link.to];
    const input = link && target?.inputs[link.toSlot];
    if (target === undefined || input == null) continue;
    const inner = subgraphOf(definitions, target.type);
    const isWidget =
      input.widget !== null ||
      (inner !== undefined && leadsToWidget(inner, input.name, definitions, new Set()));
    if (isWidget) found.push({ node: target.key, widget: input.widget ?? input.name });
  }
  return found;
}

function leadsToWidget(
  definition: Definition,
  name: string,
  definitions: Readonly<Record<string, Definition>>,
  seen: Set<string>,
): boolean {
  const at = `${definition.id}/${name}`;
  if (seen.has(at)) return false;
  seen.add(at);
  const { graph } = definition;
  const ports = graph.nodes[INPUTS]?.outputs ?? [];
  return ports.some(
    (port) =>
      port.name === name &&
      port.links.some((key) => {
        const link = graph.links[key];
        const target = link && graph.nodes[link.to];
        const input = link && target?.inputs[link.toSlot];
        if (target === undefined || input == null) return false;
        if (input.widget !== null) return true;
        const inner = subgraphOf(definitions, target.type);
        return inner !== undefined && leadsToWidget(inner, input.name, definitions, seen);
      }),
  );
}

/** The names of a subgraph's inputs that feed an inner widget, in order. */
export function widgetInputs(
  definition: Definition,
  definitions: Readonly<Record<string, Definition>>,
): string[] {
  const ports = definition.graph.nodes[INPUTS]?.outputs ?? [];
  return ports.flatMap((port, slot) =>
    widgetsBehind(definition, slot, definitions).length > 0 ? [port.name] : [],
  );
}

/** The name of an old promotion's value: that of the input that feeds the same widget, if any. */
export function promotedName(
  { node, widget }: Promotion,
  definition: Definition,
  definitions: Readonly<Record<string, Definition>>,
): string {
  if (node === OWN_INPUT) return widget;
  const ports = definition.graph.nodes[INPUTS]?.outputs ?? [];
  const port = ports.find((_, slot) =>
    widgetsBehind(definition, slot, definitions).some(
      (each) => each.node === node && each.widget === widget,
    ),
  );
  return port?.name ?? `${node}/${widget}`;
}

/** A name for each entry of an instance's list of values; shorter than `length` where unknown. */
function namesOfInstance(node: GraphNode, workflow: Workflow, length: number): string[] {
  const { definitions } = workflow;
  const definition = subgraphOf(definitions, node.type);
  if (definition === undefined) return [];
  const promotions = promotionsOf(node);
  if (promotions.length === 0) {
    const names = widgetInputs(definition, definitions);
    const named = node.saved.widgets_values_named;
    if (names.length !== length && isObject(named) && Object.keys(named).length === length) {
      return Object.keys(named);
    }
    return names;
  }
  const all = promotions.map((each) =>
    each.isPreview ? each.widget : promotedName(each, definition, definitions),
  );
  const withValues = all.filter((_, index) => promotions[index]?.isPreview === false);
  const own = all.filter((_, index) => promotions[index]?.node === OWN_INPUT);
  if (length === 0 || length === all.length) return all;
  return [withValues, own].find((each) => each.length === length) ?? [];
}

function namesOfSaved(node: GraphNode, workflow: Workflow): string[] {
  const list = listOf(node.saved.widgets_values);
  const names = namesOfInstance(node, workflow, list.length);
  return list.map((_, index) => names[index] ?? positionalName(index));
}

/** Names the values of all instances; call it once all definitions are read. */
export function nameValues(workflow: Workflow): void {
  const graphs = [workflow, ...Object.values(workflow.definitions).map((each) => each.graph)];
  for (const { nodes } of graphs) {
    for (const node of Object.values(nodes)) {
      if (subgraphOf(workflow.definitions, node.type) !== undefined) nameInstance(node, workflow);
    }
  }
}

function nameInstance(node: GraphNode, workflow: Workflow): void {
  const list = node.saved.widgets_values;
  if (Array.isArray(list)) {
    node.slots = namesOfSaved(node, workflow);
    node.values = Object.fromEntries(
      node.slots.map((name, index) => [name, list[index] ?? null] as const),
    );
  }
  for (const { name, value } of quarantinedValues(node)) node.values[name] = value;
}

/** Values that a newer editor could not migrate and stored separately; they override the list. */
function quarantinedValues(node: GraphNode): { name: string; value: Json }[] {
  const properties = isObject(node.saved.properties) ? node.saved.properties : {};
  return listOf(properties.proxyWidgetErrorQuarantine).flatMap((each) => {
    const entry = isObject(each) ? listOf(each.originalEntry) : [];
    if (!isObject(each) || entry.length < 2 || String(entry[0]) !== OWN_INPUT) return [];
    return each.hostValue == null ? [] : [{ name: String(entry[1]), value: each.hostValue }];
  });
}

/** Writes an instance's values over the saved ones, where a value or the order changed. */
export function writeInstanceValues(
  node: GraphNode,
  workflow: Workflow,
  written: JsonObject,
): void {
  const { saved, values, slots } = node;
  if (isObject(saved.widgets_values)) {
    written.widgets_values = { ...saved.widgets_values, ...values };
    return;
  }
  const list = listOf(saved.widgets_values);
  const quarantined = new Map(quarantinedValues(node).map(({ name, value }) => [name, value]));
  const before = (name: string): Json => quarantined.get(name) ?? list[slots.indexOf(name)] ?? null;
  const changed = Object.keys(values).filter(
    (name) => !Object.is(before(name), values[name] ?? null),
  );
  const now = namesOfSaved(node, workflow);
  const moved = now.length !== slots.length || now.some((name, index) => name !== slots[index]);
  if (changed.length === 0 && !moved) return;
  const names = namesOfInstance(node, workflow, list.length).filter(
    (each) => !isPositionalName(each),
  );
  dropQuarantined(written, changed);
  const promotions = promotionsOf(node);
  const added = changed.filter(
    (name) => promotions.length > 0 && !names.includes(name) && values[name] !== null,
  );
  if (added.length > 0) addPromotions(written, added);
  const all = [...names, ...added];
  // What has no name keeps its value, after what has one.
  const places = [...names, ...slots.filter(isPositionalName), ...added];
  written.widgets_values = places.map((name) => values[name] ?? null);
  if (isObject(saved.widgets_values_named)) {
    written.widgets_values_named = Object.fromEntries(
      all.map((name) => [name, values[name] ?? null]),
    );
  }
}

/**
 * Drops a separately stored value once the user has set the widget, so that it no longer overrides.
 */
function dropQuarantined(written: JsonObject, changed: readonly string[]): void {
  const properties = isObject(written.properties) ? written.properties : {};
  const quarantine = properties.proxyWidgetErrorQuarantine;
  if (!Array.isArray(quarantine)) return;
  const left = quarantine.filter((each) => {
    const entry = isObject(each) ? listOf(each.originalEntry) : [];
    return String(entry[0]) !== OWN_INPUT || !changed.includes(String(entry[1]));
  });
  if (left.length < quarantine.length) {
    written.properties = { ...properties, proxyWidgetErrorQuarantine: left };
  }
}

/** Adds promotions for inputs that an old file's instance held no value for. */
function addPromotions(written: JsonObject, names: readonly string[]): void {
  const properties = isObject(written.properties) ? written.properties : {};
  written.properties = {
    ...properties,
    proxyWidgets: [
      ...listOf(properties.proxyWidgets),
      ...names.map((name) => (name.includes("/") ? name.split("/", 2) : [OWN_INPUT, name])),
    ],
  };
}
