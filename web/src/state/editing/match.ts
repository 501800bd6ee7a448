/**
 * Matching inputs and outputs, which take the type of whatever is connected to one of them: a
 * switch of images outputs images. Files store the resolved type, so it is updated when wires
 * change.
 */
import type { NodeSchema } from "../../api/types";
import type { Draft, GraphNode } from "../../document/graph";
import { allowedTypes, inputsOf, MATCH, templateOf } from "../nodes/inputs";
import { schemaOf } from "../session/studio";

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
  const templates = new Map<string, Template>();
  for (const each of inputsOf(schema, node)) {
    if (each.type !== MATCH) continue;
    const name = templateOf(each);
    const template = templates.get(name) ?? { allowed: allowedTypes(each.options), names: [] };
    template.names.push(each.name);
    templates.set(name, template);
  }
  const changes = [...templates].map(([name, each]) => match(draft, node, schema, name, each));
  return changes.includes(true);
}

/** The inputs of one template, and the types that it allows. */
interface Template {
  allowed: string;
  names: string[];
}

/** Gives the inputs and outputs of a template its type; returns whether that of an output changed. */
function match(
  draft: Draft,
  node: GraphNode,
  schema: NodeSchema,
  template: string,
  { allowed, names }: Template,
): boolean {
  const slots = schema.outputs.flatMap((each, slot) =>
    // A schema without names of templates has one.
    each.type === MATCH && (each.match ?? template) === template ? [slot] : [],
  );
  const found = typeOfWires(draft, node, names, slots) ?? allowed;
  for (const input of node.inputs) {
    if (!names.includes(input.name) || input.type === found) continue;
    input.type = found;
    input.saved = { ...input.saved, type: found };
  }
  let changed = false;
  for (const slot of slots) {
    const output = node.outputs[slot];
    if (output === undefined || output.type === found) continue;
    output.type = found;
    output.saved = { ...output.saved, type: found };
    changed = true;
  }
  return changed;
}

function typeOfWires(
  draft: Draft,
  node: GraphNode,
  names: readonly string[],
  slots: readonly number[],
): string | null {
  for (const { name, link: key } of node.inputs) {
    const link = key === null || !names.includes(name) ? undefined : draft.links[key];
    const type = link && draft.nodes[link.from]?.outputs[link.fromSlot]?.type;
    if (isConcrete(type)) return type;
  }
  for (const slot of slots) {
    for (const key of node.outputs[slot]?.links ?? []) {
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
