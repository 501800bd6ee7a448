/** Opens the content of a file, picture or clipboard: a workflow, or a graph in API form. */
import { isObject, type Json, type JsonObject } from "../../document/json";
import { kindOf } from "../../document/read";
import { layout, openWorkflow, schemaOf } from "../session/studio";

export function openDocument(value: Json, name: string): void {
  openWorkflow(asWorkflow(value), { name });
}

/** A workflow, which a graph in API form is turned into. */
export function asWorkflow(value: Json): Json {
  return isObject(value) && kindOf(value) === "prompt" ? workflowOfPrompt(value) : value;
}

const COLUMN_WIDTH = 320;
const ROW_HEIGHT = 280;

/**
 * Converts a graph in API form to a workflow with positions: columns by the distance from the
 * sources.
 */
export function workflowOfPrompt(given: JsonObject): JsonObject {
  const prompt = Object.fromEntries(Object.entries(given).filter(([, each]) => isObject(each)));
  const keys = Object.keys(prompt);
  const ids = new Map(keys.map((key, index) => [key, index + 1]));
  const depths = depthsOf(prompt);
  const rows: number[] = [];
  const wiring: Wiring = { prompt, ids, links: [], outputs: new Map() };
  const nodes = keys.map((key): JsonObject => {
    const depth = depths.get(key) ?? 0;
    rows[depth] = (rows[depth] ?? -1) + 1;
    return {
      ...nodeOf(key, wiring),
      pos: [depth * COLUMN_WIDTH, (rows[depth] ?? 0) * ROW_HEIGHT],
      order: depth,
    };
  });
  for (const [index, node] of nodes.entries()) {
    node.outputs = outputsOf(String(node.type), wiring.outputs.get(keys[index] ?? "") ?? []);
  }
  return {
    last_node_id: nodes.length,
    last_link_id: wiring.links.length,
    nodes,
    links: wiring.links,
    groups: [],
    config: {},
    extra: {},
    version: 0.4,
  };
}

/** The wires found so far, while the nodes are read one by one. */
interface Wiring {
  prompt: JsonObject;
  ids: ReadonlyMap<string, number>;
  links: Json[];
  /** For each node, the links of each output slot. */
  outputs: Map<string, Json[][]>;
}

/** A node without its position and outputs, which are known once all nodes are read. */
function nodeOf(key: string, wiring: Wiring): JsonObject {
  const entry = wiring.prompt[key] as JsonObject;
  const type = String(entry.class_type);
  const { inputs, values } = inputsOf(key, isObject(entry.inputs) ? entry.inputs : {}, wiring);
  const meta = isObject(entry._meta) ? entry._meta : {};
  const isTitled = typeof meta.title === "string" && meta.title !== schemaOf(type)?.display_name;
  const named = (layout(type) ?? []).filter((each) => each.kind !== "forced");
  return {
    id: wiring.ids.get(key) ?? 0,
    type,
    size: [240, 0],
    flags: {},
    mode: 0,
    inputs,
    properties: { "Node name for S&R": type },
    ...(isTitled ? { title: meta.title } : {}),
    widgets_values:
      named.length > 0
        ? named.map(({ name, kind, default: standard }) =>
            kind === "control" ? "fixed" : (values[name] ?? standard),
          )
        : Object.values(values),
  };
}

/** A node's inputs: wires, which are added to those found so far, and values. */
function inputsOf(key: string, given: JsonObject, { prompt, ids, links, outputs }: Wiring) {
  const inputs: JsonObject[] = [];
  const values: JsonObject = {};
  for (const [name, value] of Object.entries(given)) {
    const [source, slot] = sourceOf(value, prompt) ?? [];
    if (source === undefined || slot === undefined) {
      values[name] = isObject(value) && "__value__" in value ? (value.__value__ ?? null) : value;
      continue;
    }
    const type = schemaOf(String((prompt[source] as JsonObject).class_type))?.outputs[slot]?.type;
    const id = links.length + 1;
    links.push([id, ids.get(source) ?? 0, slot, ids.get(key) ?? 0, inputs.length, type ?? "*"]);
    inputs.push({ name, type: type ?? "*", link: id });
    const slots = outputs.get(source) ?? [];
    while (slots.length <= slot) slots.push([]);
    slots[slot]?.push(id);
    outputs.set(source, slots);
  }
  return { inputs, values };
}

function outputsOf(type: string, slots: readonly Json[][]): JsonObject[] {
  const described = schemaOf(type)?.outputs ?? [];
  return Array.from({ length: Math.max(described.length, slots.length) }, (_, index) => ({
    name: described[index]?.name ?? "",
    type: described[index]?.type ?? "*",
    links: slots[index] ?? [],
  }));
}

function sourceOf(value: Json, prompt: JsonObject): [string, number] | null {
  if (!Array.isArray(value) || value.length !== 2) return null;
  const [source, slot] = value;
  return typeof source === "string" && typeof slot === "number" && isObject(prompt[source])
    ? [source, slot]
    : null;
}

function depthsOf(prompt: JsonObject): Map<string, number> {
  const depths = new Map<string, number>();
  // Each round settles at least one more node of a graph without cycles.
  for (let round = 0; round < Object.keys(prompt).length; round += 1) {
    let moved = false;
    for (const [key, entry] of Object.entries(prompt)) {
      const inputs = isObject(entry) && isObject(entry.inputs) ? Object.values(entry.inputs) : [];
      const sources = inputs.flatMap((each) => sourceOf(each, prompt)?.[0] ?? []);
      const depth = Math.max(0, ...sources.map((each) => (depths.get(each) ?? 0) + 1));
      if (depth !== depths.get(key)) moved = true;
      depths.set(key, depth);
    }
    if (!moved) break;
  }
  return depths;
}
