/** Which two sockets may be joined, and why not. The server has the same rule (graph/sockets.py). */
import type { Catalog } from "../api/catalog";
import type { NodeSchema } from "../api/types";
import type { Graph } from "../document/graph";

const OPEN: ReadonlySet<string> = new Set(["*", "", "0", "COMFY_MATCHTYPE_V3"]);

export function fits(output: string, wanted: string): boolean {
  if (output === wanted || OPEN.has(output) || OPEN.has(wanted)) return true;
  const accepted = membersOf(wanted);
  return membersOf(output).some((each) => accepted.includes(each));
}

function membersOf(union: string): string[] {
  return union.split(",").map((each) => each.trim().toUpperCase());
}

/** 2 for the same type, 1 for one of several, 0 for a socket that takes anything, -1 for no fit. */
export function closeness(output: string, wanted: string): number {
  if (!fits(output, wanted)) return -1;
  if (output === wanted) return 2;
  return OPEN.has(output) || OPEN.has(wanted) ? 0 : 1;
}

export interface Ends {
  from: string;
  fromType: string;
  to: string;
  toName: string;
  toType: string;
}

/** Why these may not be joined, in a sentence; null where they may. */
export function refusal(graph: Graph, ends: Ends): string | null {
  if (ends.from === ends.to) return "A node cannot feed itself.";
  if (!fits(ends.fromType, ends.toType)) {
    return `${ends.toName} takes ${nameOf(ends.toType)}, not ${nameOf(ends.fromType)}.`;
  }
  if (reaches(graph, ends.to, ends.from)) return "This would close a circle.";
  return null;
}

export function nameOf(type: string): string {
  return OPEN.has(type) ? "anything" : type.split(",").join(" or ");
}

/** Whether what `from` makes arrives at `to`. */
function reaches(graph: Graph, from: string, to: string): boolean {
  const seen = new Set<string>();
  const open = [from];
  while (open.length > 0) {
    const key = open.pop();
    if (key === undefined || seen.has(key)) continue;
    if (key === to) return true;
    seen.add(key);
    for (const output of graph.nodes[key]?.outputs ?? []) {
      for (const link of output.links) {
        const next = graph.links[link]?.to;
        if (next !== undefined) open.push(next);
      }
    }
  }
  return false;
}

/** The node with the fewest inputs that turns one type into the other. */
export function converterFor(catalog: Catalog, from: string, to: string): NodeSchema | null {
  const makes = Object.values(catalog).filter(
    (each) =>
      !each.deprecated &&
      each.outputs[0]?.type === to &&
      each.inputs.some((input) => input.section === "required" && input.type === from),
  );
  makes.sort((one, other) => one.inputs.length - other.inputs.length);
  return makes[0] ?? null;
}
