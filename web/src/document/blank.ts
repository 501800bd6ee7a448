/** An empty node. Callers overlay the fields of the node they make. */
import type { GraphNode, Point, Size } from "./graph";
import type { JsonObject } from "./json";

/** A document node without sockets or values. */
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

/** A node's saved fields, in the order in which other editors write them. */
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
