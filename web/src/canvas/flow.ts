/** The document as React Flow's nodes and edges. Unchanged nodes and edges keep their identity. */
import { type Edge, type Node, Position } from "@xyflow/react";
import type { Catalog } from "../api/catalog";
import type { NodeSchema } from "../api/types";
import { isPinned } from "../document/flags";
import { type GraphNode, isBoundary, type Link } from "../document/graph";
import { isNote } from "../document/notes";
import { idleParts } from "../state/nodes/bypass";
import { isRerouteNode } from "../state/nodes/reroutes";
import type { Shape } from "../state/nodes/rows";
import { cornerOf, outputType, shapeFor, showsPictures, WIDGET } from "../state/nodes/shape";
import type { NodeOutputs } from "../state/outcomes/outputs";
import { placeHere } from "../state/outcomes/places";
import type { Tab } from "../state/session/studio";

export type FlowNode = Node<
  Record<string, never>,
  "card" | "boundary" | "note" | "fold" | "reroute"
>;
/** Below this zoom, nodes are painted instead of built: their fields would be too small to read. */
export const OVERVIEW_BELOW = 0.4;
/** The prefix of the ids of folded frames' boxes, among those of nodes. */
export const FOLD_PREFIX = "frame ";
export type FlowEdge = Edge<{ type: string; muted: boolean }, "wire">;

interface Known {
  schema: NodeSchema | undefined;
  pictures: boolean;
  selected: boolean;
  made: FlowNode;
}

const DOT = { width: 1, height: 1 };
const NO_DATA: Record<string, never> = {};

const EMPTY = { of: null, start: "", keys: new Set<string>() };

/** Caches each flow node by the node it was made of. */
export class Projection {
  #nodes = new WeakMap<GraphNode, Known>();
  #edges = new WeakMap<Link, FlowEdge>();
  #lastEdges: FlowEdge[] = [];
  #shown: { of: unknown; start: string; keys: ReadonlySet<string> } = EMPTY;

  nodes(tab: Tab, catalog: Catalog, shown: Readonly<Record<string, NodeOutputs>>): FlowNode[] {
    const selected = new Set(tab.selected);
    const showing = this.#showing(tab, shown);
    const all: FlowNode[] = [];
    for (const key of tab.graph.order) {
      const node = tab.graph.nodes[key];
      if (node === undefined) continue;
      const schema = catalog[node.type];
      const pictures = showing.has(key) || showsPictures(schema);
      const cached = this.#nodes.get(node);
      const isSelected = selected.has(key);
      const same =
        cached?.schema === schema &&
        cached?.pictures === pictures &&
        cached?.selected === isSelected;
      if (cached !== undefined && same) {
        all.push(cached.made);
        continue;
      }
      const made = flowNode(node, shapeFor(node, schema, pictures), isSelected);
      this.#nodes.set(node, { schema, pictures, selected: isSelected, made });
      all.push(made);
    }
    return all;
  }

  /** The nodes of the current level with something to show, or with such a node inside. */
  #showing(tab: Tab, shown: Readonly<Record<string, NodeOutputs>>): ReadonlySet<string> {
    const start = placeHere(tab, "");
    if (this.#shown.of === shown && this.#shown.start === start) return this.#shown.keys;
    const places = Object.keys(shown).filter((each) => each.startsWith(start));
    const keys = places.map((each) => each.slice(start.length).split(":", 1)[0] ?? "");
    this.#shown = { of: shown, start, keys: new Set(keys) };
    return this.#shown.keys;
  }

  edges({ graph, selectedLinks }: Tab, catalog: Catalog): FlowEdge[] {
    const selected = new Set(selectedLinks);
    const idle = idleParts(graph, catalog);
    const all: FlowEdge[] = [];
    for (const key of graph.linkOrder) {
      const link = graph.links[key];
      const source = link && graph.nodes[link.from];
      const input = link && graph.nodes[link.to]?.inputs[link.toSlot];
      if (link === undefined || source === undefined || input === undefined) continue;
      const muted = idle.links.has(key);
      const cached = this.#edges.get(link);
      const isSelected = selected.has(key);
      if (cached?.selected === isSelected && cached.data?.muted === muted) {
        all.push(cached);
        continue;
      }
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
      all.push(made);
    }
    // React Flow processes all edges again for each new list; moving a node must not cause that.
    if (!isSameList(all, this.#lastEdges)) this.#lastEdges = all;
    return this.#lastEdges;
  }
}

function isSameList<Item>(one: readonly Item[], other: readonly Item[]): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index]);
}

type FlowHandles = NonNullable<FlowNode["handles"]>;

function kindOfCard(node: GraphNode): "boundary" | "note" | "reroute" | "card" {
  if (isBoundary(node.key)) return "boundary";
  if (isNote(node)) return "note";
  return isRerouteNode(node) ? "reroute" : "card";
}

function flowNode(node: GraphNode, shape: Shape, selected: boolean): FlowNode {
  const { width, height } = shape;
  return {
    id: node.key,
    type: kindOfCard(node),
    position: cornerOf(node),
    data: NO_DATA,
    width,
    height,
    measured: { width, height },
    selected,
    draggable: !isPinned(node),
    dragHandle: isNote(node) ? ".note" : ".card-title",
    handles: handlesOf(shape),
  };
}

const handles = new WeakMap<Shape, FlowHandles>();

function handlesOf(shape: Shape): FlowHandles {
  const cached = handles.get(shape);
  if (cached !== undefined) return cached;
  const target = (id: string, y: number) =>
    ({ id, type: "target", position: Position.Left, x: 0, y, ...DOT }) as const;
  const made: FlowHandles = [
    ...shape.inputs.map(({ id, y }) => target(id, y)),
    ...shape.widgets.map(({ input, y }) => target(input.name, y + WIDGET / 2)),
    ...shape.outputs.map(
      ({ id, y }) =>
        ({ id, type: "source", position: Position.Right, x: shape.width, y, ...DOT }) as const,
    ),
  ];
  handles.set(shape, made);
  return made;
}
