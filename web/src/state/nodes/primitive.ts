/**
 * The incumbent's primitive node, which passes a widget's value on. The server has no such class:
 * its value is written to the widgets it feeds. Here it is an additional schema, whose one field is
 * that of its target.
 */
import { type Catalog, catalogOf } from "../../api/catalog";
import type { InputSchema, NodeSchema } from "../../api/types";
import type { Graph, GraphNode } from "../../document/graph";

export const PRIMITIVE = "PrimitiveNode";

const VALUE: InputSchema = {
  name: "value",
  type: "INT",
  section: "required",
  options: { control_after_generate: true },
  choices: null,
  folder: null,
};

const SCHEMA: NodeSchema = {
  class_type: PRIMITIVE,
  display_name: "Primitive",
  category: "utils",
  inputs: [VALUE],
  outputs: [{ type: "*", name: "value", is_list: false, tooltip: null, match: null }],
  description:
    "Supplies its value to the inputs it is connected to. In new graphs, use a node for one type of value.",
  python_module: "",
  is_output: false,
  input_is_list: false,
  any_slot: false,
  deprecated: true,
  experimental: false,
  not_idempotent: false,
  flexible: false,
  checks_input_types: false,
  checks: [],
};

/** The catalog with the primitive node, which only editors have. */
export function withPrimitive(catalog: Catalog): Catalog {
  if (PRIMITIVE in catalog) return catalog;
  return catalogOf([...Object.entries(catalog), [PRIMITIVE, SCHEMA]]);
}

/** The field of a primitive node, by the type that its output was saved with. */
export function primitiveInput({ outputs, values }: GraphNode): InputSchema {
  const savedType = outputs[0]?.type ?? "*";
  const type = savedType === "*" ? typeOfValue(values.value) : savedType;
  if (type === "INT" || type === "FLOAT") return { ...VALUE, type };
  if (type === "STRING") return { ...VALUE, type, options: { multiline: true } };
  return { ...VALUE, type, options: {} };
}

function typeOfValue(value: unknown): string {
  if (typeof value === "boolean") return "BOOLEAN";
  if (typeof value === "bigint") return "INT";
  if (typeof value === "number") return Number.isInteger(value) ? "INT" : "FLOAT";
  return "STRING";
}

/** The same field with the limits and choices of the field that it feeds. */
export function withTargetOptions(
  graph: Graph,
  node: GraphNode,
  input: InputSchema,
  described: (node: GraphNode, name: string) => InputSchema | undefined,
): InputSchema {
  const link = graph.links[node.outputs[0]?.links[0] ?? ""];
  const target = link === undefined ? undefined : graph.nodes[link.to];
  const name = link === undefined ? undefined : target?.inputs[link.toSlot]?.name;
  const found = target === undefined || name === undefined ? undefined : described(target, name);
  if (found === undefined) return input;
  return {
    ...found,
    name: input.name,
    section: "required",
    options: { ...found.options, ...input.options },
  };
}
