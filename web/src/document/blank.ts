/** A node with nothing on it yet. Whoever makes one lays over it what makes it that node. */
import type { GraphNode, Point, Size } from "./graph";
import type { JsonObject } from "./json";

/** One that a file has nothing of but its id. */
export function blankNode(id: number, type: string, position: Point, size: Size): GraphNode {
  return {
    key: String(id),
    id,
    type,
    title: null,
    position,
    size,
    mode: 0,
    collapsed: false,
    color: null,
    inputs: [],
    outputs: [],
    values: {},
    slots: [],
    saved: { id },
  };
}

/** What a file has of a node, in the order in which others write it. */
export function blankSaved(id: number, type: string, position: Point, size: Size): JsonObject {
  return {
    id,
    type,
    pos: [position.x, position.y],
    size: [size.width, size.height],
    flags: {},
    order: 0,
    mode: 0,
    inputs: [],
    outputs: [],
    properties: {},
  };
}
