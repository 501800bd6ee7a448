/**
 * Values of nodes whose class was not known when they were read: called by their places until it
 * is, and by their names from then on. Knows no catalog; it is asked what a class holds.
 */
import type { Graph, GraphNode, WidgetLayout, Workflow } from "./graph";
import type { Json } from "./json";
import { isPositionalName, namesOf } from "./slots";

/** The document with all values called by name that can be; itself where none is to be called anew. */
export function withNames(workflow: Workflow, layout: WidgetLayout): Workflow {
  let changed = false;
  const definitions = Object.fromEntries(
    Object.entries(workflow.definitions).map(([id, definition]) => {
      const graph = withNamesIn(definition.graph, layout);
      if (graph !== definition.graph) changed = true;
      return [id, graph === definition.graph ? definition : { ...definition, graph }];
    }),
  );
  const root = withNamesIn(workflow, layout);
  return changed ? { ...root, definitions } : root;
}

function withNamesIn<Level extends Graph>(graph: Level, layout: WidgetLayout): Level {
  const named: [string, GraphNode][] = [];
  for (const [key, node] of Object.entries(graph.nodes)) {
    if (!node.slots.some(isPositionalName)) continue;
    const found = nodeWithNames(node, layout);
    if (found !== node) named.push([key, found]);
  }
  if (named.length === 0) return graph;
  return { ...graph, nodes: { ...graph.nodes, ...Object.fromEntries(named) } };
}

function nodeWithNames(node: GraphNode, layout: WidgetLayout): GraphNode {
  const known = layout(node.type);
  if (known === undefined) return node;
  const list = node.slots.map((name) => node.values[name] ?? null);
  const names = namesOf(list, known);
  const places = node.slots.flatMap((name, index) => {
    const to = names[index];
    // What already has its name keeps it, and what a name was given since then holds.
    return isPositionalName(name) && to !== undefined && to !== name && !node.slots.includes(to)
      ? [[name, to] as const]
      : [];
  });
  if (places.length === 0) return node;
  const anew = new Map<string, string>(places);
  const values: Record<string, Json> = { ...node.values };
  for (const [from, to] of anew) {
    const value = values[from] ?? null;
    delete values[from];
    if (!(to in values)) values[to] = value;
  }
  return { ...node, slots: node.slots.map((name) => anew.get(name) ?? name), values };
}
