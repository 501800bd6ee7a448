/** A subgraph as a whole: its name, and a copy that one instance has to itself. */
import { plain } from "./border";
import { type Definition, type Draft, subgraphOf, type Workflow } from "./graph";

export function renameDefinition(definition: Definition, name: string): void {
  if (name !== "") definition.name = name;
}

/** Gives an instance a subgraph of its own, so that editing it leaves the other instances alone. */
export function copyDefinition(
  workflow: Workflow,
  graph: Draft,
  key: string,
  { id, name }: { id: string; name: string },
): void {
  const node = graph.nodes[key];
  const definition = subgraphOf(workflow.definitions, node?.type);
  if (node === undefined || definition === undefined) return;
  const { graph: inner } = plain(definition);
  workflow.definitions[id] = { id, name, graph: { ...inner, saved: { ...inner.saved, id } } };
  node.type = id;
  node.saved = { ...plain(node.saved), type: id };
}
