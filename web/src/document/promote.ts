/**
 * Widgets of the inside that instances of a subgraph show. Today's files say it by an input that
 * leads to the widget; what older files say otherwise is brought into that form before it is edited.
 */
import { plain } from "./border";
import { connect } from "./edit";
import { type Definition, type GraphNode, INPUTS, type Workflow } from "./graph";
import { type InnerWidget, promotedName, promotionsOf, widgetsBehind } from "./instances";
import { equalJson, isObject, type Json, type JsonObject } from "./json";
import { definitionAt, instancesOf, levelAt, type Path, ROOT } from "./levels";
import { addPort, portOfWidget, portsOf, removePort } from "./ports";
import { listOf } from "./values";

/** The type of a widget inside; the catalog knows. */
type TypeOf = (node: GraphNode, widget: string) => string;

/** Shows a widget of the inside on all instances; what they hold for it is the inside's value. */
export function promote(
  workflow: Workflow,
  definition: Definition,
  inner: InnerWidget,
  typeOf: TypeOf,
): void {
  migratePromotions(workflow, definition, typeOf);
  if (portOfWidget(workflow, definition, inner) >= 0) return;
  const name = addWidgetPort(workflow, definition, inner, typeOf);
  if (name !== null) restoreHidden(workflow, definition, inner, name);
}

/**
 * Takes a widget from all instances. The inside takes over what was shown, so that a run makes the
 * same as before: the value of the instance that `path` leads through, else the one that all agree
 * on. What other instances held is noted with them, and is theirs again when the widget is shown.
 */
export function unpromote(
  workflow: Workflow,
  definition: Definition,
  inner: InnerWidget,
  typeOf: TypeOf,
  path: Path = ROOT,
): void {
  migratePromotions(workflow, definition, typeOf);
  const slot = portOfWidget(workflow, definition, inner);
  if (slot < 0) return;
  settleValues(workflow, definition, slot, path);
  removePort(workflow, definition, "inputs", slot);
}

/** Before an input goes that shows widgets: see `unpromote`. */
export function settleValues(
  workflow: Workflow,
  definition: Definition,
  slot: number,
  path: Path = ROOT,
): void {
  const name = portsOf(definition, "inputs")[slot]?.name ?? "";
  const widgets = widgetsBehind(definition, slot, workflow.definitions);
  const [first] = widgets;
  if (first === undefined) return;
  const instances = instancesOf(workflow, definition.id).map(({ node }) => node);
  const key = definitionAt(workflow, path)?.id === definition.id ? path.at(-1) : undefined;
  const shown = key === undefined ? undefined : levelAt(workflow, path.slice(0, -1)).nodes[key];
  const held = instances.map((each) => each.values[name] ?? null);
  const agreed = held.every((each) => equalJson(each, held[0])) ? held[0] : null;
  const value = plainJson(shown?.values[name] ?? agreed ?? null);
  for (const each of instances) {
    const own = each.values[name] ?? null;
    if (own !== null && !equalJson(own, value)) noteHidden(each, first, plainJson(own));
  }
  if (value === null) return;
  for (const { node, widget } of widgets) {
    const inside = definition.graph.nodes[node];
    if (inside !== undefined) inside.values[widget] = value;
  }
}

function plainJson(value: Json): Json {
  return typeof value === "object" && value !== null ? plain(value) : value;
}

/** In the properties of an instance: what it held for widgets that are no longer shown. */
const HIDDEN = "calotype.hidden";

function hiddenOf(node: GraphNode): JsonObject {
  const properties = isObject(node.saved.properties) ? node.saved.properties : {};
  const hidden = properties[HIDDEN];
  return isObject(hidden) ? plain(hidden) : {};
}

function setHidden(node: GraphNode, hidden: JsonObject): void {
  const saved = plain(node.saved);
  const { [HIDDEN]: _, ...properties } = isObject(saved.properties) ? saved.properties : {};
  const isEmpty = Object.keys(hidden).length === 0;
  node.saved = {
    ...saved,
    properties: isEmpty ? properties : { ...properties, [HIDDEN]: hidden },
  };
}

function noteHidden(instance: GraphNode, { node, widget }: InnerWidget, value: Json): void {
  setHidden(instance, { ...hiddenOf(instance), [`${node}/${widget}`]: value });
}

/** Gives instances what they held for a widget before it was hidden. */
function restoreHidden(
  workflow: Workflow,
  definition: Definition,
  { node, widget }: InnerWidget,
  name: string,
): void {
  for (const { node: instance } of instancesOf(workflow, definition.id)) {
    const { [`${node}/${widget}`]: value, ...others } = hiddenOf(instance);
    if (value === undefined) continue;
    instance.values[name] = value;
    setHidden(instance, others);
  }
}

function addWidgetPort(
  workflow: Workflow,
  definition: Definition,
  { node: key, widget }: InnerWidget,
  typeOf: TypeOf,
): string | null {
  const { graph } = definition;
  const node = graph.nodes[key];
  if (node === undefined) return null;
  if (node.inputs.some((each) => each.name === widget && each.link !== null)) return null;
  const type = typeOf(node, widget);
  const label = widget.split(".").at(-1) ?? widget;
  const slot = addPort(workflow, definition, "inputs", { name: widget, label, type, of: node });
  connect(graph, { node: INPUTS, slot }, { node: key, name: widget, type, isWidget: true }, type);
  return portsOf(definition, "inputs")[slot]?.name ?? null;
}

/** Says what older files promote by inputs, for every instance; their values stay what they are. */
export function migratePromotions(
  workflow: Workflow,
  definition: Definition,
  typeOf: TypeOf,
): void {
  const old = instancesOf(workflow, definition.id)
    .map(({ node }) => node)
    .filter((node) => promotionsOf(node).length > 0);
  const renamed = new Map<string, string>();
  for (const node of old) {
    for (const each of promotionsOf(node)) {
      const name = promotedName(each, definition, workflow.definitions);
      if (each.isPreview || name !== `${each.node}/${each.widget}`) continue;
      const port = addWidgetPort(workflow, definition, each, typeOf);
      if (port !== null) renamed.set(name, port);
    }
  }
  for (const node of old) migrateInstance(node, renamed);
}

function migrateInstance(node: GraphNode, renamed: ReadonlyMap<string, string>): void {
  const previews = promotionsOf(node).filter((each) => each.isPreview);
  const values: JsonObject = {};
  for (const [name, value] of Object.entries(plain(node.values))) {
    if (value !== null && !name.startsWith("$$") && !name.startsWith("#")) {
      values[renamed.get(name) ?? name] = value;
    }
  }
  node.values = values;
  node.slots = [];
  const saved = plain(node.saved);
  const { widgets_values_named: _, ...others } = saved;
  const properties = isObject(saved.properties) ? saved.properties : {};
  const { proxyWidgets: __, ...kept } = properties;
  const exposures: Json[] = previews.map((each) => ({
    name: each.widget,
    sourceNodeId: each.node,
    sourcePreviewName: each.widget,
  }));
  node.saved = {
    ...others,
    widgets_values: [],
    properties:
      exposures.length === 0
        ? kept
        : { ...kept, previewExposures: [...listOf(kept.previewExposures), ...exposures] },
  };
}
