/**
 * Which two sockets may be connected, and the reason where not. The server has the same rule
 * (graph/sockets.py).
 */
import type { Catalog } from "../../api/catalog";
import type { NodeSchema } from "../../api/types";
import type { Graph } from "../../document/graph";
import { anyOf } from "../../words/format";
import { t } from "../../words/words";
import { isSubgraph } from "./widgets";

const ANY_TYPE: ReadonlySet<string> = new Set(["*", "", "0", "COMFY_MATCHTYPE_V3"]);

export function fits(output: string, input: string): boolean {
  if (output === input || ANY_TYPE.has(output) || ANY_TYPE.has(input)) return true;
  const accepted = membersOf(input);
  return membersOf(output).some((each) => accepted.includes(each));
}

function membersOf(union: string): string[] {
  return union.split(",").map((each) => each.trim().toUpperCase());
}

/** 2 for the same type, 1 for one of several, 0 for a socket of any type, -1 for no fit. */
export function closeness(output: string, input: string): number {
  if (!fits(output, input)) return -1;
  if (output === input) return 2;
  return ANY_TYPE.has(output) || ANY_TYPE.has(input) ? 0 : 1;
}

interface Ends {
  from: string;
  fromType: string;
  to: string;
  toName: string;
  toType: string;
}

/** Why these sockets may not be connected, as a sentence; null where they may. */
export function refusal(graph: Graph, ends: Ends): string | null {
  if (ends.from === ends.to) return t("A node cannot be connected to itself.");
  if (!fits(ends.fromType, ends.toType)) {
    return t("{{input}} takes {{wanted}}, not {{given}}.", {
      input: ends.toName,
      wanted: nameOf(ends.toType),
      given: nameOf(ends.fromType),
    });
  }
  if (feeds(graph, ends.to, ends.from)) return t("The wires would form a cycle.");
  return null;
}

export function nameOf(type: string): string {
  return ANY_TYPE.has(type) ? t("anything") : anyOf(type.split(","));
}

const downstream = new WeakMap<Graph, Map<string, ReadonlySet<string>>>();

/** Whether `to` is downstream of `from`. Cached, as it is checked for many nodes during a pull. */
export function feeds(graph: Graph, from: string, to: string): boolean {
  const cached = downstream.get(graph) ?? new Map<string, ReadonlySet<string>>();
  downstream.set(graph, cached);
  const found = cached.get(from) ?? reachableFrom(graph, from);
  cached.set(from, found);
  return found.has(to);
}

function reachableFrom(graph: Graph, from: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const open = [from];
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    if (seen.has(key)) continue;
    seen.add(key);
    for (const output of graph.nodes[key]?.outputs ?? []) {
      for (const link of output.links) {
        const next = graph.links[link]?.to;
        if (next !== undefined) open.push(next);
      }
    }
  }
  return seen;
}

const MAX_CONVERTERS = 3;

/** The classes that convert one type to the other, those with the fewest inputs first. */
export function convertersFor(catalog: Catalog, from: string, to: string): NodeSchema[] {
  if (ANY_TYPE.has(from) || ANY_TYPE.has(to)) return [];
  const acceptsFrom = (each: NodeSchema) =>
    each.inputs.some((input) => input.section === "required" && input.type === from);
  const penalty = (each: NodeSchema) =>
    Number(each.experimental || /(^|\/)_/.test(each.category)) * 100 + each.inputs.length;
  return Object.values(catalog)
    .filter(
      (each) =>
        !each.deprecated && !isSubgraph(each) && acceptsFrom(each) && each.outputs[0]?.type === to,
    )
    .sort((one, other) => penalty(one) - penalty(other))
    .slice(0, MAX_CONVERTERS);
}
