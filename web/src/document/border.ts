/**
 * What making a subgraph and unpacking one share: moving nodes and links from one graph to another.
 */
import { current, isDraft } from "mutative";
import type { Graph, GraphNode, Link, Point } from "./graph";

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export function boxOf(nodes: readonly GraphNode[]): Box {
  return {
    left: Math.min(...nodes.map((each) => each.position.x)),
    top: Math.min(...nodes.map((each) => each.position.y)),
    right: Math.max(...nodes.map((each) => each.position.x + each.size.width)),
    bottom: Math.max(...nodes.map((each) => each.position.y + each.size.height)),
  };
}

export function cornerOf(nodes: readonly GraphNode[]): Point {
  const { left, top } = boxOf(nodes);
  return { x: left, y: top };
}

/** A draft's part as a plain value: only plain values may be stored in another place of a draft. */
export function plain<Value extends object>(value: Value): Value {
  return isDraft(value) ? current(value) : value;
}

/** A copy of a node without links; links are added again one by one. */
export function withoutLinks(draft: GraphNode): GraphNode {
  const node = plain(draft);
  return {
    ...node,
    inputs: node.inputs.map((each) => ({ ...each, link: null })),
    outputs: node.outputs.map((each) => ({ ...each, links: [] })),
  };
}

/** Copies a link into a graph, under its own key where that is free. The source may be replaced. */
export function copyLink(
  graph: Graph,
  link: Link,
  from: string,
  fromSlot: number,
  to = link.to,
  toSlot = link.toSlot,
): void {
  const output = graph.nodes[from]?.outputs[fromSlot];
  const input = graph.nodes[to]?.inputs[toSlot];
  if (output === undefined || input === undefined) return;
  const isFree = !(link.key in graph.links);
  if (!isFree) graph.lastLinkId += 1;
  const key = isFree ? link.key : String(graph.lastLinkId);
  const id = isFree ? link.id : graph.lastLinkId;
  const { type, portal } = link;
  graph.links[key] = {
    ...{ key, id, from, fromSlot, to, toSlot, type, portal },
    reroute: link.from === from && link.to === to ? link.reroute : null,
    saved: null,
  };
  graph.linkOrder.push(key);
  if (Number.isInteger(Number(key))) graph.lastLinkId = Math.max(graph.lastLinkId, Number(key));
  input.link = key;
  output.links.push(key);
}
