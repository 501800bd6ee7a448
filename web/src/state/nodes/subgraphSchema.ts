/**
 * Schemas of subgraphs, so that an instance is drawn, connected and edited like any node: inputs
 * and outputs from the ports, and widgets from the inner widgets they feed.
 */
import type { Catalog } from "../../api/catalog";
import type { InputSchema, NodeSchema, OutputSchema } from "../../api/types";
import {
  type Definition,
  type GraphNode,
  INPUTS,
  OUTPUTS,
  type OutputSlot,
  slotLabel,
  subgraphOf,
  type Workflow,
} from "../../document/graph";
import {
  type InnerWidget,
  promotedName,
  promotionsOf,
  widgetsBehind,
} from "../../document/instances";
import { equalJson, isObject, type Json, type JsonObject } from "../../document/json";
import { graphsOf, instancesOf } from "../../document/levels";
import { fallbackValue, SUBGRAPH } from "./widgets";

interface CachedCatalog {
  base: Catalog;
  definitions: Workflow["definitions"];
  /** Whether instances of old files show more widgets than the definition. */
  isOld: boolean;
  schemas: Readonly<Record<string, NodeSchema>>;
  catalog: Catalog;
}

const cache = new WeakMap<Workflow, CachedCatalog>();
/** The last schemas by the document's saved root, so that unchanged schemas keep their identity. */
const latest = new WeakMap<JsonObject, CachedCatalog>();

/** The catalog without subgraphs that each catalog was made from. */
const bases = new WeakMap<Catalog, Catalog>();

/** The catalog with this document's subgraphs by id, in place of any other document's. */
export function catalogWith(workflow: Workflow, catalog: Catalog): Catalog {
  const base = bases.get(catalog) ?? catalog;
  if (Object.keys(workflow.definitions).length === 0) return base;
  const cached = cache.get(workflow);
  if (cached?.base === base) return cached.catalog;
  const before = latest.get(workflow.saved);
  const { definitions } = workflow;
  // A fast path, as most edits do not change subgraphs.
  if (before?.base === base && before.definitions === definitions && !before.isOld) {
    return before.catalog;
  }
  const builder = new SchemaBuilder(workflow, base);
  const schemas: Record<string, NodeSchema> = {};
  for (const { id } of Object.values(workflow.definitions)) {
    const [schema, old] = [builder.schemaOf(id), before?.schemas[id]];
    if (schema !== undefined) schemas[id] = old && equalJson(old, schema) ? old : schema;
  }
  const same =
    before?.base === base &&
    Object.keys(schemas).length === Object.keys(before.schemas).length &&
    Object.entries(schemas).every(([id, schema]) => before.schemas[id] === schema);
  const merged: Catalog = same ? before.catalog : Object.assign(Object.create(null), base, schemas);
  const next: CachedCatalog = { base, definitions, isOld: builder.isOld, schemas, catalog: merged };
  bases.set(next.catalog, base);
  cache.set(workflow, next);
  latest.set(workflow.saved, next);
  return next.catalog;
}

class SchemaBuilder {
  readonly #workflow: Workflow;
  readonly #base: Catalog;
  readonly #schemas = new Map<string, NodeSchema>();
  readonly #promoted: ReadonlyMap<string, ReadonlyMap<string, InnerWidget>>;

  constructor(workflow: Workflow, base: Catalog) {
    this.#workflow = workflow;
    this.#base = base;
    this.#promoted = promotedWithoutInput(workflow);
  }

  get isOld(): boolean {
    return this.#promoted.size > 0;
  }

  schemaOf(type: string): NodeSchema | undefined {
    const definition = subgraphOf(this.#workflow.definitions, type);
    if (definition === undefined)
      return Object.hasOwn(this.#base, type) ? this.#base[type] : undefined;
    const cached = this.#schemas.get(type);
    if (cached !== undefined) return cached;
    // A hostile file may contain a subgraph that contains itself: it finds the blank schema here.
    const schema = blank(definition);
    this.#schemas.set(type, schema);
    const ports = definition.graph.nodes[INPUTS]?.outputs ?? [];
    schema.inputs = ports.map((port, slot) => this.#input(definition, port, slot));
    for (const [name, inner] of this.#promoted.get(type) ?? []) {
      const found = this.#widget(definition, inner);
      if (found !== null) schema.inputs.push({ ...found, name });
    }
    schema.outputs = outputsOf(definition);
    return schema;
  }

  #input(definition: Definition, port: OutputSlot, slot: number): InputSchema {
    const [inner] = widgetsBehind(definition, slot, this.#workflow.definitions);
    const widget =
      inner === undefined
        ? null
        : (this.#widget(definition, inner) ?? this.#widgetFromInstances(definition, port));
    const display_name = slotLabel(port);
    if (widget !== null) {
      return { ...widget, name: port.name, options: { ...widget.options, display_name } };
    }
    return {
      name: port.name,
      type: port.type,
      section: port.saved.shape === 7 ? "optional" : "required",
      options: { display_name, forceInput: true },
      choices: null,
      folder: null,
    };
  }

  /** A widget of a class that is not installed, derived from the value of an instance. */
  #widgetFromInstances({ id }: Definition, port: OutputSlot): InputSchema | null {
    const values = instancesOf(this.#workflow, id).map(({ node }) => node.values[port.name]);
    const value = values.find((each) => each != null);
    return value === undefined ? null : widgetOf(port.name, value);
  }

  /** An inner widget as instances show it; null where it is unknown. */
  #widget({ graph }: Definition, { node: key, widget }: InnerWidget): InputSchema | null {
    const node = graph.nodes[key];
    if (node === undefined) return null;
    const schema = this.schemaOf(node.type);
    const input = schema?.inputs.find((each) => each.name === widget);
    if (schema === undefined || input === undefined) return unknownWidget(node, widget);
    const value = node.values[widget] ?? fallbackValue(input);
    return { ...input, options: { ...input.options, default: value, initialValue: value } };
  }
}

function blank({ id, name, graph }: Definition): NodeSchema {
  const { description, category } = graph.saved;
  return {
    class_type: id,
    display_name: name,
    category: typeof category === "string" && category !== "" ? category : "subgraphs",
    inputs: [],
    outputs: [],
    description: typeof description === "string" ? description : "",
    python_module: SUBGRAPH,
    is_output: false,
    input_is_list: false,
    any_slot: false,
    deprecated: false,
    experimental: false,
    not_idempotent: false,
    flexible: false,
    checks_input_types: false,
    checks: [],
  };
}

function outputsOf({ graph }: Definition): OutputSchema[] {
  return (graph.nodes[OUTPUTS]?.inputs ?? []).map((port) => ({
    type: port.type,
    name: slotLabel(port),
    is_list: port.saved.shape === 6,
    tooltip: null,
    match: null,
  }));
}

/** A widget of a class that is not installed: its type is derived from its value. */
function unknownWidget(node: GraphNode, widget: string): InputSchema | null {
  const value = unknownValue(node, widget);
  return value === undefined ? null : widgetOf(widget, value);
}

function widgetOf(name: string, value: Json): InputSchema | null {
  const type =
    typeof value === "string"
      ? "STRING"
      : typeof value === "boolean"
        ? "BOOLEAN"
        : typeof value === "bigint" || Number.isInteger(value)
          ? "INT"
          : typeof value === "number"
            ? "FLOAT"
            : null;
  if (type === null) return null;
  const options = { initialValue: value };
  return { name, type, section: "required", options, choices: null, folder: null };
}

/** By name where the file has names, else by the index among the node's widgets. */
function unknownValue(node: GraphNode, widget: string): Json | undefined {
  const named = node.saved.widgets_values_named;
  const found = node.values[widget] ?? (isObject(named) ? named[widget] : undefined);
  if (found !== undefined) return found;
  const widgets = node.inputs.flatMap((each) => each.widget ?? []);
  const place = widgets.indexOf(widget);
  return place >= 0 && widgets.length === node.slots.length
    ? node.values[node.slots[place] ?? ""]
    : undefined;
}

/** The inner widgets that instances of old files show without an input, by subgraph and name. */
function promotedWithoutInput(workflow: Workflow): Map<string, Map<string, InnerWidget>> {
  const found = new Map<string, Map<string, InnerWidget>>();
  const { definitions } = workflow;
  for (const { nodes } of graphsOf(workflow)) {
    for (const node of Object.values(nodes)) {
      const definition = subgraphOf(definitions, node.type);
      if (definition === undefined) continue;
      for (const each of promotionsOf(node)) {
        const name = promotedName(each, definition, definitions);
        if (each.isPreview || name !== `${each.node}/${each.widget}`) continue;
        const widgets = found.get(definition.id) ?? new Map<string, InnerWidget>();
        found.set(definition.id, widgets.set(name, each));
      }
    }
  }
  return found;
}
