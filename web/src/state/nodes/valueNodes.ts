/**
 * Nodes that hold one value, so that several fields can share it. Such a node gets its initial
 * value and its seed control from the field it is connected to.
 */
import type { InputSchema, NodeSchema } from "../../api/types";
import type { GraphNode } from "../../document/graph";
import type { Json } from "../../document/json";
import { widgetType } from "./fieldTypes";
import { PRIMITIVE } from "./primitive";
import { inputNamed } from "./shape";
import { controlOf, fallbackValue, isWidget } from "./widgets";

/** By the type of the field; the most general class is last. */
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

/** The values of a new holder for a field of a node; none where it does not fit. */
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
    // A number that was fixed stays fixed when a node holds it.
    ...(control === null
      ? {}
      : { [control]: before === null ? "fixed" : (node.values[before] ?? "fixed") }),
  };
}

/** Sets the type of a primitive node to that of its target, and the widget's name, as in files. */
export function setPrimitiveType(holder: GraphNode, { name, type }: InputSchema): void {
  const [output] = holder.outputs;
  if (holder.type !== PRIMITIVE || output === undefined) return;
  Object.assign(output, { name: type, type });
  output.saved = { ...output.saved, name: type, type, widget: { name } };
}
