/**
 * Widgets of the inside that instances of a subgraph show. Today's files say it by an input that
 * leads to the widget; what older files say otherwise is brought into that form before it is edited.
 */
import { plain } from "./border";
import { connect } from "./edit";
import { type Definition, type GraphNode, INPUTS, type Workflow } from "./graph";
import { type Inner, promotedName, promotionsOf, widgetsBehind } from "./instances";
import { isObject, type Json, type JsonObject } from "./json";
import { instancesOf } from "./levels";
import { addPort, portsOf, removePort } from "./ports";
import { listOf } from "./values";

/** The type of a widget inside; the catalog knows. */
type TypeOf = (node: GraphNode, widget: string) => string;

/** Which input shows a widget of the inside: its place, or -1. */
export function portBehind(workflow: Workflow, definition: Definition, inner: Inner): number {
  return portsOf(definition, "inputs").findIndex((_, slot) =>
    widgetsBehind(definition, slot, workflow.definitions).some(
      (each) => each.node === inner.node && each.widget === inner.widget,
    ),
  );
}

/** Shows a widget of the inside on all instances; what they hold for it is the inside's value. */
export function promote(
  workflow: Workflow,
  definition: Definition,
  inner: Inner,
  typeOf: TypeOf,
): void {
  modernise(workflow, definition, typeOf);
  if (portBehind(workflow, definition, inner) < 0)
    addWidgetPort(workflow, definition, inner, typeOf);
}

/** Takes a widget from all instances; the inside keeps its own value. */
export function unpromote(
  workflow: Workflow,
  definition: Definition,
  inner: Inner,
  typeOf: TypeOf,
): void {
  modernise(workflow, definition, typeOf);
  const slot = portBehind(workflow, definition, inner);
  if (slot >= 0) removePort(workflow, definition, "inputs", slot);
}

function addWidgetPort(
  workflow: Workflow,
  definition: Definition,
  { node: key, widget }: Inner,
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
export function modernise(workflow: Workflow, definition: Definition, typeOf: TypeOf): void {
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
  for (const node of old) moderniseInstance(node, renamed);
}

function moderniseInstance(node: GraphNode, renamed: ReadonlyMap<string, string>): void {
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
