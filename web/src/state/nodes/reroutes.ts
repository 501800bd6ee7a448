/** Reroute nodes of older files: drawn as little more than the wire they pass on. */
import type { Graph, GraphNode } from "../../document/graph";
import type { Shape, SocketRow } from "./rows";

const WIDTH = 48;
const HEIGHT = 24;

export function isRerouteNode(node: Pick<GraphNode, "type">): boolean {
  return node.type === "Reroute";
}

/**
 * The shape of a small pill, below where a title would be, as files position a node by its body.
 */
export function rerouteShape(node: GraphNode, title: number): Shape {
  const row = (id: string, type: string): SocketRow => ({
    id,
    label: "",
    type,
    optional: false,
    list: false,
    y: title + HEIGHT / 2,
    tooltip: null,
  });
  const [input, output] = [node.inputs[0], node.outputs[0]];
  return {
    width: Math.max(Math.min(node.size.width, 2 * WIDTH), WIDTH),
    height: title + HEIGHT,
    inputs: [row(input?.name ?? "", input?.type ?? "*")],
    outputs: [row("0", output?.type ?? "*")],
    widgets: [],
    shown: null,
  };
}

/** The type that arrives through any chain of reroute nodes; "*" for none. */
export function passedType(graph: Graph, key: string): string {
  const seen = new Set<string>();
  for (let at = key; !seen.has(at); ) {
    seen.add(at);
    const node = graph.nodes[at];
    const link = graph.links[node?.inputs[0]?.link ?? ""];
    const source = graph.nodes[link?.from ?? ""];
    if (link === undefined || source === undefined) break;
    if (!isRerouteNode(source)) return source.outputs[link.fromSlot]?.type ?? link.type;
    at = source.key;
  }
  return graph.nodes[key]?.outputs[0]?.type ?? "*";
}
