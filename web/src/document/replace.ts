/**
 * Replaces a node by one of another class: decides which links and values the new node can take
 * over, by name first, then by type, then by order. The caller supplies the rules of what fits.
 */
import type { InputSocket } from "./edit";
import { removeLink } from "./edit";
import type { Draft, Graph, GraphNode } from "./graph";
import type { Json } from "./json";
import { moveSources, moveTarget } from "./rewire";

export interface NewSockets {
  inputs: readonly Omit<InputSocket, "node">[];
  outputs: readonly { name: string; type: string }[];
}

export interface ReplaceRules {
  fits(output: string, targetType: string): boolean;
  /** The type of a link's source, and the type its target accepts. */
  sourceType(link: string): string;
  targetType(link: string): string;
  /** Whether a widget of the new node accepts this value. */
  acceptsValue(name: string, value: Json): boolean;
  /** Whether a widget of the old node and one of the new are of the same kind. */
  isSameKind(old: string, made: string): boolean;
  /** Whether the loss of this value of the old node should be reported. */
  isReported(name: string): boolean;
}

export interface Match {
  /** The new inputs' names, by the links that will end there. */
  inputs: Readonly<Record<string, string>>;
  /** The new outputs' indices, by the links that will begin there. */
  outputs: Readonly<Record<string, number>>;
  /** The old widgets' names, by the new widgets that take over their values. */
  values: Readonly<Record<string, string>>;
  lostLinks: readonly string[];
  lostValues: readonly string[];
}

/** What a node that replaces `old` would take over, and what would be lost. */
export function matchNode(
  graph: Graph,
  old: GraphNode,
  replacement: GraphNode,
  sockets: NewSockets,
  rules: ReplaceRules,
): Match {
  const inputs = matchInputs(old, sockets, rules);
  const outputs = matchOutputs(graph, old, sockets, rules);
  const values = matchValues(old, replacement, rules);
  const links = [
    ...old.inputs.flatMap((each) => each.link ?? []),
    ...old.outputs.flatMap((each) => each.links),
  ].filter((key) => key in graph.links);
  const kept = new Set(Object.values(values));
  return {
    inputs,
    outputs,
    values,
    lostLinks: links.filter((key) => !(key in inputs) && !(key in outputs)),
    lostValues: Object.keys(old.values).filter((each) => !kept.has(each) && rules.isReported(each)),
  };
}

function matchInputs(old: GraphNode, sockets: NewSockets, rules: ReplaceRules) {
  const found: Record<string, string> = {};
  const free = [...sockets.inputs];
  const open = old.inputs.filter((each) => each.link !== null);
  const pass = (
    matches: (input: GraphNode["inputs"][number], one: (typeof free)[number]) => boolean,
  ) => {
    for (const input of open) {
      if (input.link === null || input.link in found) continue;
      const at = free.findIndex((each) => matches(input, each));
      const [taken] = at < 0 ? [] : free.splice(at, 1);
      if (taken !== undefined) found[input.link] = taken.name;
    }
  };
  const fits = (link: string | null, type: string) =>
    link !== null && rules.fits(rules.sourceType(link), type);
  pass((input, each) => each.name === input.name && fits(input.link, each.type));
  pass((input, each) => !each.isWidget && each.type === rules.sourceType(input.link ?? ""));
  pass((input, each) => !each.isWidget && fits(input.link, each.type));
  return found;
}

function matchOutputs(graph: Graph, old: GraphNode, sockets: NewSockets, rules: ReplaceRules) {
  const found: Record<string, number> = {};
  const free = new Set(sockets.outputs.keys());
  const open = new Set(old.outputs.filter((each) => each.links.length > 0));
  const pass = (matches: (output: GraphNode["outputs"][number], slot: number) => boolean) => {
    for (const output of open) {
      const slot = [...free].find((each) => matches(output, each));
      if (slot === undefined) continue;
      open.delete(output);
      free.delete(slot);
      const type = sockets.outputs[slot]?.type ?? "*";
      for (const link of output.links) {
        if (link in graph.links && rules.fits(type, rules.targetType(link))) found[link] = slot;
      }
    }
  };
  const fitsAll = (links: readonly string[], slot: number) =>
    links.every((link) => rules.fits(sockets.outputs[slot]?.type ?? "*", rules.targetType(link)));
  pass(
    (output, slot) => sockets.outputs[slot]?.name === output.name && fitsAll(output.links, slot),
  );
  pass((output, slot) => sockets.outputs[slot]?.type === output.type);
  pass((output, slot) => fitsAll(output.links, slot));
  return found;
}

function matchValues(old: GraphNode, replacement: GraphNode, rules: ReplaceRules) {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(old.values)) {
    if (name in replacement.values && rules.acceptsValue(name, value)) found[name] = name;
  }
  const left = Object.keys(old.values).filter((each) => !(each in found));
  const open = Object.keys(replacement.values).filter((each) => !(each in found));
  for (const name of left) {
    const candidates = open.filter((each) => rules.isSameKind(name, each));
    const sameType = left.filter((each) => rules.isSameKind(each, candidates[0] ?? ""));
    const [only] = candidates;
    // Ambiguous where there are two of a kind: a seed must not become a number of steps.
    if (only === undefined || candidates.length > 1 || sameType.length > 1) continue;
    if (rules.acceptsValue(only, old.values[name] ?? null)) found[only] = name;
  }
  return found;
}

/** Puts the new node in the old one's place, under its key, with the matched links and values. */
export function replaceNode(
  graph: Draft,
  key: string,
  replacement: GraphNode,
  sockets: NewSockets,
  match: Match,
): void {
  const old = graph.nodes[key];
  if (old === undefined) return;
  for (const link of match.lostLinks) removeLink(graph, link);
  const values = { ...replacement.values };
  for (const [name, from] of Object.entries(match.values)) values[name] = old.values[from] ?? null;
  const temporary = `${key} `;
  graph.nodes[temporary] = old;
  graph.nodes[key] = {
    ...replacement,
    key,
    id: old.id,
    title: old.title,
    position: old.position,
    mode: old.mode,
    collapsed: old.collapsed,
    color: old.color,
    values,
    saved: { ...replacement.saved, id: old.id },
  };
  const ends = [...Object.keys(match.inputs), ...Object.keys(match.outputs)];
  for (const each of ends) {
    const link = graph.links[each];
    if (link === undefined) continue;
    if (link.from === key) link.from = temporary;
    if (link.to === key) link.to = temporary;
  }
  for (const [link, name] of Object.entries(match.inputs)) {
    const socket = sockets.inputs.find((each) => each.name === name);
    if (socket !== undefined) moveTarget(graph, link, { node: key, ...socket });
  }
  const slots = new Set(Object.values(match.outputs));
  for (const slot of slots) {
    const links = Object.keys(match.outputs).filter((each) => match.outputs[each] === slot);
    moveSources(graph, links, { node: key, slot }, sockets.outputs[slot]?.type ?? "*");
  }
  delete graph.nodes[temporary];
}
