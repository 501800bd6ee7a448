/** Nodes whose class is not on the server, at any depth. */
import type { Catalog } from "../../api/catalog";
import {
  type Definition,
  type Graph,
  type GraphNode,
  isBoundary,
  subgraphOf,
} from "../../document/graph";
import { isNote } from "../../document/notes";
import { isRerouteNode } from "./reroutes";

type Definitions = Readonly<Record<string, Definition>>;

/**
 * Whether a node cannot run here: its class is unknown and it is none of the editor's own, or it is
 * a subgraph with such a node inside.
 */
export function lacksClass(node: GraphNode, catalog: Catalog, definitions: Definitions): boolean {
  return lacks(node, catalog, definitions, new Set());
}

function lacks(
  node: GraphNode,
  catalog: Catalog,
  definitions: Definitions,
  seen: Set<string>,
): boolean {
  const inside = subgraphOf(definitions, node.type);
  if (inside === undefined) {
    const isOwn = isBoundary(node.key) || isNote(node) || isRerouteNode(node);
    return !isOwn && catalog[node.type] === undefined;
  }
  // A subgraph is looked through once; a damaged file may have one that contains itself.
  if (seen.has(inside.id)) return false;
  seen.add(inside.id);
  return Object.values(inside.graph.nodes).some((each) => lacks(each, catalog, definitions, seen));
}

/** The keys of the nodes of a graph that cannot run here. */
export function missingIn(graph: Graph, catalog: Catalog, definitions: Definitions): string[] {
  return graph.order.filter((key) => {
    const node = graph.nodes[key];
    return node !== undefined && lacksClass(node, catalog, definitions);
  });
}
