/**
 * Promoted widgets: widgets of inner nodes that instances of a subgraph show. In current files an
 * input leads to the widget; other forms of older files are converted to this one before an edit.
 */
import { plain } from "./border";
import { connect } from "./edit";
import { type Definition, type GraphNode, INPUTS, type Workflow } from "./graph";
import { type InnerWidget, promotedName, promotionsOf, widgetsBehind } from "./instances";
import { equalJson, isObject, type Json, type JsonObject } from "./json";
import { definitionAt, instancesOf, levelAt, type Path, ROOT } from "./levels";
import { addPort, portOfWidget, portsOf, removePort } from "./ports";
import { listOf } from "./values";

/** The type of an inner node's widget, from the catalog. */
type TypeOf = (node: GraphNode, widget: string) => string;

/** Shows an inner widget on all instances; their initial value is that of the inner node. */
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
 * Removes a promoted widget from all instances. The inner node gets the value that was shown, so
 * that a run gives the same result: that of the instance on `path`, else the one that all instances
 * agree on. Values of other instances are stored with them, and restored when the widget is
 * promoted again.
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
  unifyValues(workflow, definition, slot, path);
  removePort(workflow, definition, "inputs", slot);
}

/**
 * Moves values to the inner widgets before an input that shows widgets is removed; see `unpromote`.
 */
export function unifyValues(
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
  const values = instances.map((each) => each.values[name] ?? null);
  const common = values.every((each) => equalJson(each, values[0])) ? values[0] : null;
  const value = plainJson(shown?.values[name] ?? common ?? null);
  for (const each of instances) {
    const own = each.values[name] ?? null;
    if (own !== null && !equalJson(own, value)) storeHidden(each, first, plainJson(own));
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

/** The property of an instance that stores its values of widgets that are no longer promoted. */
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

function storeHidden(instance: GraphNode, { node, widget }: InnerWidget, value: Json): void {
  setHidden(instance, { ...hiddenOf(instance), [`${node}/${widget}`]: value });
}

/** Restores the instances' values from before the widget was hidden. */
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

/** Converts the promotions of older files to inputs, for every instance; values are unchanged. */
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
