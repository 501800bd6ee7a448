/** Operations on a whole subgraph: renaming it, and copying it for one instance. */
import { plain } from "./border";
import { type Definition, type Draft, subgraphOf, type Workflow } from "./graph";

export function renameDefinition(definition: Definition, name: string): void {
  if (name !== "") definition.name = name;
}

/** Gives an instance its own copy of its subgraph; other instances no longer follow its edits. */
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
