/** The seeds that the last run of each document used, as of its submission. */
import { create } from "zustand";
import type { InputSchema } from "../../api/types";
import type { GraphNode } from "../../document/graph";
import { inputsOf } from "../nodes/inputs";
import { controlOf, isSubgraph } from "../nodes/widgets";
import { promptIdOf, schemaOf, type Tab } from "../session/studio";

/** By `tab/node/input`. */
export const useSeeds = create<Readonly<Record<string, number | bigint>>>(() => ({}));

export function seedPlace(tab: string, node: string, input: string): string {
  return `${tab}/${node}/${input}`;
}

/**
 * Records the seeds of a submitted run, from its prompt, for nodes inside subgraphs too, and for
 * what the nodes of the level shown display.
 */
export function recordSeeds(tab: Tab, prompt: Readonly<Record<string, unknown>>): void {
  const used: Record<string, number | bigint> = {};
  const note = (id: string, name: string, value: unknown) => {
    if (typeof value !== "number" && typeof value !== "bigint") return;
    used[seedPlace(tab.id, id, name)] = value;
  };
  for (const [id, entry] of Object.entries(prompt)) {
    const { class_type: type, inputs } = entry as { class_type: string; inputs: Values };
    for (const name of controlled(type)) note(id, name, inputs[name]);
  }
  for (const node of Object.values(tab.graph.nodes)) {
    for (const name of controlled(node.type, node)) {
      note(promptIdOf(tab, node.key), name, node.values[name]);
    }
  }
  useSeeds.setState(used);
}

/** Removes what is stored of a document that was closed. */
export function forgetSeeds(tab: string): void {
  const others = Object.entries(useSeeds.getState()).filter(([place]) => !isIn(place, tab));
  useSeeds.setState(Object.fromEntries(others), true);
}

function isIn(place: string, tab: string): boolean {
  return place.startsWith(`${tab}/`);
}

type Values = Readonly<Record<string, unknown>>;

function controlled(type: string, node?: GraphNode): string[] {
  const schema = schemaOf(type);
  if (schema === undefined) return [];
  // An instance's values are controlled at inner widgets; recording uncontrolled ones does no harm.
  const isNoted = (each: InputSchema) =>
    isSubgraph(schema) ? each.type === "INT" : controlOf(schema, each) !== null;
  return inputsOf(schema, node)
    .filter(isNoted)
    .map((each) => each.name);
}
