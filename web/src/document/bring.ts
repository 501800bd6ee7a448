/** Subgraphs that come with nodes from elsewhere: the same are shared, others of the same id renamed. */
import { type Graph, subgraphOf, type Workflow } from "./graph";
import { equalJson } from "./json";
import { definitionOf, graphsOf, holds, withinOf } from "./levels";
import { writeDefinition } from "./write";

/** Adds the subgraphs of `copied` that its root needs. Where an id is taken by another, `copied` is changed. */
export function bring(workflow: Workflow, copied: Workflow): void {
  const types = Object.values(copied.nodes).map((each) => each.type);
  for (const each of withinOf(copied, types)) {
    const here = subgraphOf(workflow.definitions, each.id);
    if (here === undefined) continue;
    const [mine, theirs] = [writeDefinition(here, workflow), writeDefinition(each, copied)];
    if (!equalJson(mine, theirs)) rename(copied, each.id, crypto.randomUUID());
  }
  const now = Object.values(copied.nodes).map((each) => each.type);
  for (const each of withinOf(copied, now)) workflow.definitions[each.id] ??= each;
}

function rename(copied: Workflow, from: string, to: string): void {
  const definition = copied.definitions[from];
  if (definition === undefined) return;
  delete copied.definitions[from];
  copied.definitions[to] = { ...definition, id: to };
  for (const { nodes } of graphsOf(copied)) {
    for (const node of Object.values(nodes)) {
      if (node.type !== from) continue;
      node.type = to;
      node.saved = { ...node.saved, type: to };
    }
  }
}

/** Whether a node of this type, put into this graph, would lie in itself. */
export function selfHolding(workflow: Workflow, graph: Graph, type: string): boolean {
  const around = definitionOf(workflow, graph);
  return (
    around !== undefined &&
    subgraphOf(workflow.definitions, type) !== undefined &&
    holds(workflow, type, around.id)
  );
}
