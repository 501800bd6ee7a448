/**
 * Matching inputs and outputs, which take the type of whatever is connected to one of them: a
 * switch of images outputs images. Files store the resolved type, so it is updated when wires
 * change.
 */
import type { NodeSchema } from "../../api/types";
import type { Draft, GraphNode } from "../../document/graph";
import { schemaOf } from "../studio";
import { allowedTypes, inputsOf, MATCH } from "./inputs";

/** The most nodes that are followed in a chain of such nodes. */
const MAX_FOLLOWED = 64;

/** Resolves the types of a node again, and of the matching nodes downstream. */
export function resolveTypes(draft: Draft, key: string): void {
  const open = [key];
  for (let followed = 0; followed < MAX_FOLLOWED && open.length > 0; followed += 1) {
    const next = open.shift();
    const node = next === undefined ? undefined : draft.nodes[next];
    const schema = node === undefined ? undefined : schemaOf(node.type);
    if (node === undefined || schema === undefined) continue;
    if (!updateTypes(draft, node, schema)) continue;
    for (const output of node.outputs) {
      for (const link of output.links) open.push(draft.links[link]?.to ?? "");
    }
  }
}

/** Updates a node; returns whether the type of an output changed. */
function updateTypes(draft: Draft, node: GraphNode, schema: NodeSchema): boolean {
  const matching = inputsOf(schema, node).filter((each) => each.type === MATCH);
  if (matching.length === 0) return false;
  const names = new Set(matching.map((each) => each.name));
  const [first] = matching;
  const found = typeOfWires(draft, node, names, schema) ?? allowedTypes(first?.options ?? {});
  for (const input of node.inputs) {
    if (!names.has(input.name) || input.type === found) continue;
    input.type = found;
    input.saved = { ...input.saved, type: found };
  }
  let changed = false;
  node.outputs.forEach((output, slot) => {
    if (schema.outputs[slot]?.type !== MATCH || output.type === found) return;
    output.type = found;
    output.saved = { ...output.saved, type: found };
    changed = true;
  });
  return changed;
}

function typeOfWires(
  draft: Draft,
  node: GraphNode,
  names: ReadonlySet<string>,
  schema: NodeSchema,
): string | null {
  for (const { name, link: key } of node.inputs) {
    const link = key === null || !names.has(name) ? undefined : draft.links[key];
    const type = link && draft.nodes[link.from]?.outputs[link.fromSlot]?.type;
    if (isConcrete(type)) return type;
  }
  for (const [slot, output] of node.outputs.entries()) {
    if (schema.outputs[slot]?.type !== MATCH) continue;
    for (const key of output.links) {
      const link = draft.links[key];
      const type = link && draft.nodes[link.to]?.inputs[link.toSlot]?.type;
      if (isConcrete(type)) return type;
    }
  }
  return null;
}

function isConcrete(type: string | undefined): type is string {
  return type !== undefined && type !== "*" && type !== MATCH && !type.includes(",");
}
