/**
 * Imports the subgraphs of copied nodes. A subgraph that is equal to one in the document, at all
 * depths, is shared; one whose id is taken by a different subgraph gets a new id. Group nodes, an
 * older form stored by name, are handled likewise.
 */
import { type Definition, type Graph, type GraphNode, subgraphOf, type Workflow } from "./graph";
import { equalJson, isObject, type Json, type JsonObject } from "./json";
import { containsSubgraph, definitionOf, graphsOf, subgraphsUsedBy } from "./levels";
import { writeDefinition } from "./write";

/**
 * Adds the subgraphs that the root of `copied` uses. Renames them in `copied` where an id is taken.
 */
export function importSubgraphs(workflow: Workflow, copied: Workflow): void {
  const names = new Map<string, string>();
  const types = Object.values(copied.nodes).map((each) => each.type);
  for (const { id } of subgraphsUsedBy(copied, types)) {
    const existing = equalSubgraph(workflow, copied, id);
    const isTaken = subgraphOf(workflow.definitions, id) !== undefined;
    names.set(id, existing ?? (isTaken ? crypto.randomUUID() : id));
  }
  importGroupNodes(workflow, copied, names);
  rename(copied, names);
  const now = Object.values(copied.nodes).map((each) => each.type);
  for (const each of subgraphsUsedBy(copied, now)) workflow.definitions[each.id] ??= each;
}

/**
 * The id of an equal subgraph in the document: one of the same id, or one from an earlier import.
 */
function equalSubgraph(workflow: Workflow, copied: Workflow, id: string): string | undefined {
  const { name } = copied.definitions[id] ?? {};
  const sameName = Object.values(workflow.definitions).filter((each) => each.name === name);
  const first = sameName.filter((each) => each.id === id);
  const others = sameName.filter((each) => each.id !== id);
  return [...first, ...others].find((each) =>
    isSame({ workflow: copied, id }, { workflow, id: each.id }, new Map()),
  )?.id;
}

interface TypeIn {
  workflow: Workflow;
  id: string;
}

/** Whether two types are the same class, or subgraphs of equal content at all depths. */
function isSame(one: TypeIn, other: TypeIn, matched: Map<string, string>): boolean {
  const mine = subgraphOf(one.workflow.definitions, one.id);
  const theirs = subgraphOf(other.workflow.definitions, other.id);
  if (mine === undefined || theirs === undefined) {
    return mine === theirs && one.id === other.id;
  }
  const before = matched.get(one.id);
  if (before !== undefined) return before === other.id;
  matched.set(one.id, other.id);
  if (!equalJson(content(mine, one.workflow), content(theirs, other.workflow))) return false;
  const types = typesIn(theirs);
  return typesIn(mine).every((id, index) =>
    isSame({ ...one, id }, { ...other, id: types[index] ?? "" }, matched),
  );
}

/** A subgraph's saved form without its id and the ids of nested subgraphs. */
function content(definition: Definition, workflow: Workflow): JsonObject {
  const { id: _, ...written } = writeDefinition(definition, workflow);
  const nodes = Array.isArray(written.nodes) ? written.nodes : [];
  const untyped = nodes.map((each): Json => (isObject(each) ? { ...each, type: null } : each));
  return { ...written, nodes: untyped };
}

function typesIn({ graph }: Definition): string[] {
  return graph.order.flatMap((key) => graph.nodes[key]?.type ?? []);
}

/** Gives subgraphs their new ids in one step: a new id may equal another's old id. */
function rename(copied: Workflow, names: ReadonlyMap<string, string>): void {
  if ([...names].every(([from, to]) => from === to)) return;
  for (const { nodes } of graphsOf(copied)) {
    for (const node of Object.values(nodes)) setType(node, names.get(node.type) ?? node.type);
  }
  const definitions = Object.values(copied.definitions).map((each) => {
    const id = names.get(each.id) ?? each.id;
    return [id, id === each.id ? each : { ...each, id }] as const;
  });
  copied.definitions = Object.fromEntries(definitions);
}

function setType(node: GraphNode, type: string): void {
  if (node.type === type) return;
  node.type = type;
  node.saved = { ...node.saved, type };
}

const GROUP = /^workflow[>/]/;

/** The definitions of the group nodes of these types, as a file's `extra` stores them. */
export function groupNodesFor(workflow: Graph, types: readonly string[]): JsonObject | null {
  const all = groupNodesOf(workflow);
  const used = new Set(types.filter((each) => GROUP.test(each)).map((each) => each.slice(9)));
  const found = Object.entries(all).filter(([name]) => used.has(name));
  return found.length === 0 ? null : Object.fromEntries(found);
}

function groupNodesOf({ saved }: Graph): JsonObject {
  const extra = isObject(saved.extra) ? saved.extra : {};
  return isObject(extra.groupNodes) ? extra.groupNodes : {};
}

/** A group node of the same name but other content gets the next free name. */
function importGroupNodes(workflow: Workflow, copied: Workflow, names: Map<string, string>): void {
  const types = graphsOf(copied).flatMap(({ nodes }) =>
    Object.values(nodes).map((each) => each.type),
  );
  const copiedGroups = groupNodesFor(copied, types);
  if (copiedGroups === null) return;
  const existing = { ...groupNodesOf(workflow) };
  for (const [name, group] of Object.entries(copiedGroups)) {
    let free = name;
    for (let count = 2; free in existing && !equalJson(existing[free], group); count += 1) {
      free = `${name} ${count}`;
    }
    existing[free] = group;
    for (const start of ["workflow>", "workflow/"]) names.set(start + name, start + free);
  }
  const extra = isObject(workflow.saved.extra) ? workflow.saved.extra : {};
  workflow.saved = { ...workflow.saved, extra: { ...extra, groupNodes: existing } };
}

/** Whether adding a node of this type to this graph would make a subgraph contain itself. */
export function wouldContainItself(workflow: Workflow, graph: Graph, type: string): boolean {
  const container = definitionOf(workflow, graph);
  return (
    container !== undefined &&
    subgraphOf(workflow.definitions, type) !== undefined &&
    containsSubgraph(workflow, type, container.id)
  );
}
