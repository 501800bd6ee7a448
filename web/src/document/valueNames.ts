/**
 * Renames the values of nodes whose class was unknown when they were read: values have positional
 * names until the class is known, then their widgets' names. The caller supplies the layout of a
 * class.
 */
import type { Graph, GraphNode, WidgetLayout, Workflow } from "./graph";
import type { Json } from "./json";
import { drawnBy, isPositionalName, namesOf } from "./slots";

/** The document with all values named that can be; the same object where nothing changes. */
export function withNames(workflow: Workflow, layout: WidgetLayout): Workflow {
  let changed = false;
  const definitions = Object.fromEntries(
    Object.entries(workflow.definitions).map(([id, definition]) => {
      const graph = graphWithNames(definition.graph, layout);
      if (graph !== definition.graph) changed = true;
      return [id, graph === definition.graph ? definition : { ...definition, graph }];
    }),
  );
  const root = graphWithNames(workflow, layout);
  return changed ? { ...root, definitions } : root;
}

function graphWithNames<Level extends Graph>(graph: Level, layout: WidgetLayout): Level {
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
  const slots = layout(node.type, drawnBy(node.inputs));
  if (slots === undefined) return node;
  const list = node.slots.map((name) => node.values[name] ?? null);
  const names = namesOf(list, slots);
  const renames = node.slots.flatMap((name, index) => {
    const to = names[index];
    // An entry that has its name keeps it, and a value set under the name since then wins.
    return isPositionalName(name) && to !== undefined && to !== name && !node.slots.includes(to)
      ? [[name, to] as const]
      : [];
  });
  if (renames.length === 0) return node;
  const newNames = new Map<string, string>(renames);
  const values: Record<string, Json> = { ...node.values };
  for (const [from, to] of newNames) {
    const value = values[from] ?? null;
    delete values[from];
    if (!(to in values)) values[to] = value;
  }
  return { ...node, slots: node.slots.map((name) => newNames.get(name) ?? name), values };
}
