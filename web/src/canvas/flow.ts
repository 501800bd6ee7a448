/** The document as what the canvas library draws. What did not change keeps its identity. */
import { type Edge, type Node, Position } from "@xyflow/react";
import type { Catalog } from "../api/catalog";
import type { NodeSchema } from "../api/types";
import type { GraphNode, Link } from "../document/graph";
import { placeOf, type Shown } from "../state/runs";
import { cornerOf, outputType, type Shape, shapeOf, showsPictures, WIDGET } from "../state/shape";
import type { Tab } from "../state/studio";

export type FlowNode = Node<Record<string, never>, "card">;
export type FlowEdge = Edge<{ type: string; muted: boolean }, "wire">;

interface Known {
  schema: NodeSchema | undefined;
  pictures: boolean;
  selected: boolean;
  made: FlowNode;
}

const NO_DATA: Record<string, never> = {};

/** Remembers what was made, by the node it was made of. */
export class Projection {
  #nodes = new WeakMap<GraphNode, Known>();
  #edges = new WeakMap<Link, FlowEdge>();

  nodes(tab: Tab, catalog: Catalog, shown: Readonly<Record<string, Shown>>): FlowNode[] {
    const selected = new Set(tab.selected);
    return tab.graph.order.flatMap((key) => {
      const node = tab.graph.nodes[key];
      if (node === undefined) return [];
      const schema = catalog[node.type];
      const pictures = showsPictures(schema) || placeOf(tab.id, key) in shown;
      const known = this.#nodes.get(node);
      const isSelected = selected.has(key);
      if (
        known?.schema === schema &&
        known?.pictures === pictures &&
        known?.selected === isSelected
      ) {
        return [known.made];
      }
      const made = flowNode(node, shapeOf(node, schema, pictures), isSelected);
      this.#nodes.set(node, { schema, pictures, selected: isSelected, made });
      return [made];
    });
  }

  edges({ graph, selectedLinks }: Tab, catalog: Catalog): FlowEdge[] {
    const selected = new Set(selectedLinks);
    return graph.linkOrder.flatMap((key) => {
      const link = graph.links[key];
      const source = link && graph.nodes[link.from];
      const input = link && graph.nodes[link.to]?.inputs[link.toSlot];
      if (link === undefined || source === undefined || input === undefined) return [];
      const muted = source.mode === 2 || graph.nodes[link.to]?.mode === 2;
      const known = this.#edges.get(link);
      const isSelected = selected.has(key);
      if (known?.selected === isSelected && known.data?.muted === muted) return [known];
      const made: FlowEdge = {
        id: key,
        type: "wire",
        source: link.from,
        sourceHandle: String(link.fromSlot),
        target: link.to,
        targetHandle: input.name,
        selected: isSelected,
        data: { type: outputType(source, catalog[source.type], link.fromSlot), muted },
      };
      this.#edges.set(link, made);
      return [made];
    });
  }
}

function flowNode(node: GraphNode, shape: Shape, selected: boolean): FlowNode {
  const { width, height } = shape;
  const dot = { width: 1, height: 1 };
  return {
    id: node.key,
    type: "card",
    position: cornerOf(node),
    data: NO_DATA,
    width,
    height,
    measured: { width, height },
    selected,
    dragHandle: ".card-title",
    handles: [
      ...shape.inputs.map(({ id, y }) => ({
        id,
        type: "target" as const,
        position: Position.Left,
        x: 0,
        y,
        ...dot,
      })),
      ...shape.widgets.map(({ input, y }) => ({
        id: input.name,
        type: "target" as const,
        position: Position.Left,
        x: 0,
        y: y + WIDGET / 2,
        ...dot,
      })),
      ...shape.outputs.map(({ id, y }) => ({
        id,
        type: "source" as const,
        position: Position.Right,
        x: width,
        y,
        ...dot,
      })),
    ],
  };
}
