/** The socket types whose inputs have fields. */
import type { InputSchema } from "../../api/types";

export const DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3";
/** Types that have a field. `options.widgetType` may name one for another type. */
export const WIDGETS: ReadonlySet<string> = new Set([
  "INT",
  "FLOAT",
  "STRING",
  "BOOLEAN",
  "COMBO",
  "COLOR",
  "CURVE",
  "BOUNDING_BOX",
  "WEBCAM",
  "LOAD_3D",
  "LOAD_3D_ANIMATION",
  DYNAMIC_COMBO,
]);

/** Whether its value is a view of a model, which the node shows below its fields. */
export function isView({ type }: InputSchema): boolean {
  return type.startsWith("LOAD_3D");
}

/** The type of the field for an input. */
export function widgetType({ type, options }: InputSchema): string {
  const stated = options.widgetType;
  return typeof stated === "string" && stated !== "" ? stated : type;
}

/**
 * The inputs of a node, with those marked for which the file says that a plugin's script drew a
 * field: they hold a value although nothing else about their type says so.
 */
export function withDrawnFields(
  inputs: readonly InputSchema[],
  drawn: ReadonlySet<string>,
): readonly InputSchema[] {
  if (drawn.size === 0) return inputs;
  const isDrawn = (each: InputSchema) =>
    drawn.has(each.name) && each.section !== "hidden" && !WIDGETS.has(widgetType(each));
  if (!inputs.some(isDrawn)) return inputs;
  return inputs.map((each) =>
    isDrawn(each) ? { ...each, options: { widgetType: each.type, ...each.options } } : each,
  );
}
