/** Replaces the nodes of folded frames by the frames' boxes, among React Flow's nodes. */
import { Position } from "@xyflow/react";
import type { Graph } from "../document/graph";
import { type Fold, foldedEnds, foldingOf } from "../state/nodes/folding";
import { type FlowEdge, type FlowNode, FOLD_PREFIX } from "./flow";

const boxes = new WeakMap<Fold, FlowNode>();

export function foldNodes(nodes: FlowNode[], graph: Graph): FlowNode[] {
  const { folds, hidden } = foldingOf(graph);
  if (folds.length === 0) return nodes;
  return [...nodes.filter((each) => !hidden.has(each.id)), ...folds.map(boxOf)];
}

function boxOf(fold: Fold): FlowNode {
  const cached = boxes.get(fold);
  if (cached !== undefined) return cached;
  const { group, width, height, inputs, outputs } = fold;
  const dot = { width: 1, height: 1 };
  const made: FlowNode = {
    id: FOLD_PREFIX + group.key,
    type: "fold",
    position: group.position,
    data: {},
    width,
    height,
    measured: { width, height },
    draggable: false,
    selectable: false,
    // React Flow disables pointer events on nodes that can be neither dragged nor selected.
    style: { pointerEvents: "all" },
    handles: [
      ...inputs.map(
        ({ id, y }) => ({ id, type: "target", position: Position.Left, x: 0, y, ...dot }) as const,
      ),
      ...outputs.map(
        ({ id, y }) =>
          ({ id, type: "source", position: Position.Right, x: width, y, ...dot }) as const,
      ),
    ],
  };
  boxes.set(fold, made);
  return made;
}

const edges = new WeakMap<FlowEdge, FlowEdge>();

export function foldEdges(all: FlowEdge[], graph: Graph): FlowEdge[] {
  if (foldingOf(graph).folds.length === 0) return all;
  return all.flatMap((edge) => {
    const link = graph.links[edge.id];
    if (link === undefined) return [edge];
    const { source, target, within } = foldedEnds(graph, link);
    if (within) return [];
    if (source === undefined && target === undefined) return [edge];
    const made: FlowEdge = {
      ...edge,
      ...(source && { source: FOLD_PREFIX + source.fold.group.key, sourceHandle: source.row }),
      ...(target && { target: FOLD_PREFIX + target.fold.group.key, targetHandle: target.row }),
      reconnectable: false,
    };
    const cached = edges.get(edge);
    if (cached !== undefined && isSame(cached, made)) return [cached];
    edges.set(edge, made);
    return [made];
  });
}

function isSame(one: FlowEdge, other: FlowEdge): boolean {
  return (["source", "sourceHandle", "target", "targetHandle"] as const).every(
    (each) => one[each] === other[each],
  );
}
