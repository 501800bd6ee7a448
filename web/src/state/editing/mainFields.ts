/** The fields that a new subgraph shows outside: those that users change most. */
import type { InputSchema, NodeSchema } from "../../api/types";
import type { Definition, GraphNode } from "../../document/graph";
import type { InnerWidget } from "../../document/instances";
import { inputsOf } from "../nodes/inputs";
import { titleOf } from "../nodes/naming";
import { isSeed, isWidget } from "../nodes/widgets";

interface MainField extends InnerWidget {
  /** What the field is called outside; null for the input's own name. */
  label: string | null;
}

/** A subgraph with more fields than this would not be easier to use than its inside. */
const MAX_FIELDS = 12;

/** In the order in which they are shown. */
const KINDS: readonly ((input: InputSchema) => boolean)[] = [
  isPrompt,
  ({ name }) => /^(ckpt|unet|model|lora)_name$/.test(name),
  ({ name }) => /^(width|height|length)$/.test(name),
  isSeed,
  ({ name }) => /^(steps|cfg|guidance)$/.test(name),
];

function isPrompt({ type, options }: InputSchema): boolean {
  return type === "STRING" && options.multiline === true;
}

/**
 * Prompts, the choice of a model, sizes, seeds, steps and guidance of the nodes inside, without
 * those that a wire supplies. `schemaOf` gives the class of a node.
 */
export function mainFieldsOf(
  { graph }: Definition,
  schemaOf: (type: string) => NodeSchema | undefined,
): MainField[] {
  const found: { field: MainField; kind: number }[] = [];
  for (const key of graph.order) {
    const node = graph.nodes[key];
    const schema = node && schemaOf(node.type);
    if (node === undefined || schema === undefined) continue;
    for (const input of inputsOf(schema, node)) {
      const kind = KINDS.findIndex((is) => is(input));
      if (kind < 0 || !isWidget(input) || isLinked(node, input.name)) continue;
      // A node has a title where it has a purpose, as "Negative prompt" says more than "text".
      const label = isPrompt(input) && node.title !== null ? titleOf(node, schema) : null;
      found.push({ field: { node: key, widget: input.name, label }, kind });
    }
  }
  found.sort((one, other) => one.kind - other.kind);
  return found.slice(0, MAX_FIELDS).map(({ field }) => field);
}

function isLinked({ inputs }: GraphNode, name: string): boolean {
  return inputs.some((each) => each.name === name && each.link !== null);
}
