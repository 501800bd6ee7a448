/**
 * Nodes that hold one value, so that several fields can share it. What such a node is given comes
 * from the field that it is put before: the number, and what happens to it before each run.
 */
import type { InputSchema, NodeSchema } from "../../api/types";
import type { GraphNode } from "../../document/graph";
import type { Json } from "../../document/json";
import { PRIMITIVE } from "./primitive";
import { inputNamed } from "./shape";
import { controlOf, fallbackValue, isWidget, widgetType } from "./widgets";

/** By the type of a field, the plainest last. */
const HOLDERS: Readonly<Record<string, readonly string[]>> = {
  INT: ["PrimitiveInt"],
  FLOAT: ["PrimitiveFloat"],
  BOOLEAN: ["PrimitiveBoolean"],
  STRING: ["PrimitiveStringMultiline", "PrimitiveString"],
  COMBO: [PRIMITIVE],
};

export function holdersOf(input: InputSchema): readonly string[] {
  return HOLDERS[widgetType(input)] ?? [];
}

/** The values of a new holder before a field of a node; none where it is no holder for it. */
export function valuesForHolder(
  holder: NodeSchema,
  node: GraphNode,
  schema: NodeSchema | undefined,
  name: string,
): Readonly<Record<string, Json>> {
  const input = inputNamed(node, schema, name);
  const [own] = holder.inputs;
  if (input === undefined || own === undefined || !isWidget(input)) return {};
  if (!holdersOf(input).includes(holder.class_type)) return {};
  const control = controlOf(holder, own);
  const before = schema === undefined ? null : controlOf(schema, input);
  return {
    [own.name]: node.values[name] ?? fallbackValue(input),
    // A width does not begin to change by itself because a node holds it now.
    ...(control === null
      ? {}
      : { [control]: before === null ? "fixed" : (node.values[before] ?? "fixed") }),
  };
}

/** A primitive is of the type of what it feeds, and files say for which widget it was made. */
export function setPrimitiveType(holder: GraphNode, { name, type }: InputSchema): void {
  const [output] = holder.outputs;
  if (holder.type !== PRIMITIVE || output === undefined) return;
  Object.assign(output, { name: type, type });
  output.saved = { ...output.saved, name: type, type, widget: { name } };
}
