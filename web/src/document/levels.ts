/** Levels of a document: paths from its root through instances of subgraphs. */
import {
  type Definition,
  type Graph,
  type GraphNode,
  isBoundary,
  subgraphOf,
  type Workflow,
} from "./graph";

/** The keys of the instances from the root to the level; empty at the root. */
export type Path = readonly string[];

export const ROOT: Path = [];

/** The subgraph at the path; undefined at the root and for a path that does not exist. */
export function definitionAt(workflow: Workflow, path: Path): Definition | undefined {
  let graph: Graph = workflow;
  let found: Definition | undefined;
  for (const key of path) {
    found = subgraphOf(workflow.definitions, graph.nodes[key]?.type);
    if (found === undefined) return undefined;
    graph = found.graph;
  }
  return found;
}

/** The graph at the path; the root for a path that does not exist. */
export function levelAt(workflow: Workflow, path: Path): Graph {
  return definitionAt(workflow, path)?.graph ?? workflow;
}

/** The longest start of a path that exists. */
export function existingPath(workflow: Workflow, path: Path): Path {
  for (let length = path.length; length > 0; length -= 1) {
    const part = path.slice(0, length);
    if (definitionAt(workflow, part) !== undefined) return length === path.length ? path : part;
  }
  return ROOT;
}

/** The id that a node of this level has in a prompt: its path and key, joined by colons. */
export function promptId(path: Path, key: string): string {
  return [...path, key].join(":");
}

/** The node with this id in a prompt, and the path to its level. */
export function nodeOfPrompt(
  workflow: Workflow,
  id: string,
): { path: Path; node: GraphNode } | null {
  const path = id.split(":");
  const key = path.pop() ?? "";
  if (path.length > 0 && definitionAt(workflow, path) === undefined) return null;
  const node = levelAt(workflow, path).nodes[key];
  return node === undefined ? null : { path, node };
}

/** Every node by its id in prompts; nodes inside a subgraph once, through its first instance. */
export function allNodes(workflow: Workflow): { id: string; node: GraphNode }[] {
  const found: { id: string; node: GraphNode }[] = [];
  const seen = new Set<string>();
  const visit = (graph: Graph, path: Path) => {
    for (const node of Object.values(graph.nodes)) {
      if (isBoundary(node.key)) continue;
      found.push({ id: promptId(path, node.key), node });
      const definition = subgraphOf(workflow.definitions, node.type);
      if (definition === undefined || seen.has(definition.id)) continue;
      seen.add(definition.id);
      visit(definition.graph, [...path, node.key]);
    }
  };
  visit(workflow, ROOT);
  return found;
}

/** The subgraph whose contents this graph is. */
export function definitionOf(workflow: Workflow, graph: Graph): Definition | undefined {
  return Object.values(workflow.definitions).find((each) => each.graph === graph);
}

/** Every graph of a document, the root first. */
export function graphsOf(workflow: Workflow): Graph[] {
  return [workflow, ...Object.values(workflow.definitions).map((each) => each.graph)];
}

/** All instances of a subgraph, with the graph that contains each. */
export function instancesOf(workflow: Workflow, id: string): { graph: Graph; node: GraphNode }[] {
  return graphsOf(workflow).flatMap((graph) =>
    Object.values(graph.nodes)
      .filter((node) => node.type === id)
      .map((node) => ({ graph, node })),
  );
}

/** The subgraphs of nodes of these types, including nested ones. */
export function subgraphsUsedBy(workflow: Workflow, types: readonly string[]): Definition[] {
  const found = new Map<string, Definition>();
  const pending = [...types];
  while (pending.length > 0) {
    const definition = subgraphOf(workflow.definitions, pending.pop());
    if (definition === undefined || found.has(definition.id)) continue;
    found.set(definition.id, definition);
    pending.push(...Object.values(definition.graph.nodes).map((each) => each.type));
  }
  return [...found.values()];
}

/** Whether an instance of `outer` contains one of `inner` at any depth, or is one. */
export function containsSubgraph(workflow: Workflow, outer: string, inner: string): boolean {
  return subgraphsUsedBy(workflow, [outer]).some((each) => each.id === inner);
}
