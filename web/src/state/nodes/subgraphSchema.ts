/**
 * Subgraphs as if they were classes of nodes: what their inputs and outputs are, which of them are
 * widgets and what those are like inside. So an instance is drawn, joined and filled in as any node.
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

interface Made {
  base: Catalog;
  definitions: Workflow["definitions"];
  /** Whether instances show more than the definitions say. */
  isOld: boolean;
  schemas: Readonly<Record<string, NodeSchema>>;
  catalog: Catalog;
}

const made = new WeakMap<Workflow, Made>();
/** By what the document was read from: the last ones made, so that what is the same stays the same. */
const last = new WeakMap<JsonObject, Made>();

/** What a catalog with subgraphs in it was made of. */
const bases = new WeakMap<Catalog, Catalog>();

/** The catalog, and in it the subgraphs of this document, by their ids, instead of another's. */
export function catalogWith(workflow: Workflow, catalog: Catalog): Catalog {
  const base = bases.get(catalog) ?? catalog;
  if (Object.keys(workflow.definitions).length === 0) return base;
  const known = made.get(workflow);
  if (known?.base === base) return known.catalog;
  const before = last.get(workflow.saved);
  const { definitions } = workflow;
  // Most edits leave the subgraphs alone.
  if (before?.base === base && before.definitions === definitions && !before.isOld) {
    return before.catalog;
  }
  const maker = new Maker(workflow, base);
  const schemas: Record<string, NodeSchema> = {};
  for (const { id } of Object.values(workflow.definitions)) {
    const [schema, old] = [maker.schemaOf(id), before?.schemas[id]];
    if (schema !== undefined) schemas[id] = old && equalJson(old, schema) ? old : schema;
  }
  const same =
    before?.base === base &&
    Object.keys(schemas).length === Object.keys(before.schemas).length &&
    Object.entries(schemas).every(([id, schema]) => before.schemas[id] === schema);
  const whole: Catalog = same ? before.catalog : Object.assign(Object.create(null), base, schemas);
  const next: Made = { base, definitions, isOld: maker.isOld, schemas, catalog: whole };
  bases.set(next.catalog, base);
  made.set(workflow, next);
  last.set(workflow.saved, next);
  return next.catalog;
}

class Maker {
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
    const known = this.#schemas.get(type);
    if (known !== undefined) return known;
    // A hostile file may hold a subgraph in itself: what it is being made from is still empty.
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
        : (this.#widget(definition, inner) ?? this.#heldOutside(definition, port));
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

  /** A widget of a class that is not installed, by the value that an instance holds for it. */
  #heldOutside({ id }: Definition, port: OutputSlot): InputSchema | null {
    const held = instancesOf(this.#workflow, id).map(({ node }) => node.values[port.name]);
    const value = held.find((each) => each != null);
    return value === undefined ? null : widgetOf(port.name, value);
  }

  /** A widget of the inside as it looks on the outside; null where nobody knows what it is. */
  #widget({ graph }: Definition, { node: key, widget }: InnerWidget): InputSchema | null {
    const node = graph.nodes[key];
    if (node === undefined) return null;
    const schema = this.schemaOf(node.type);
    const input = schema?.inputs.find((each) => each.name === widget);
    if (schema === undefined || input === undefined) return unknownWidget(node, widget);
    const value = node.values[widget] ?? fallbackValue(input);
    return { ...input, options: { ...input.options, default: value, standing: value } };
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
  }));
}

/** A widget of a class that is not installed: its value says what it is. */
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
  const options = { standing: value };
  return { name, type, section: "required", options, choices: null, folder: null };
}

/** By its name where the file gives names, else by its place among the node's widgets. */
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

/** What instances of old files show of the inside without an input, by subgraph and name. */
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
        const here = found.get(definition.id) ?? new Map<string, InnerWidget>();
        found.set(definition.id, here.set(name, each));
      }
    }
  }
  return found;
}
