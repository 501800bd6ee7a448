/**
 * The position an instance had when its subgraph was made of nodes. Those nodes keep their
 * positions inside; the distance the instance was moved since says where they belong when it is
 * unpacked.
 */
import type { Draft, GraphNode, Point } from "./graph";
import { isObject, type JsonObject } from "./json";

/**
 * The offset of an instance from where it was made; null if it was not made of nodes in this
 * editor.
 */
export function movedSinceCreation(node: GraphNode): Point | null {
  const { calotype } = propertiesOf(node);
  const at = isObject(calotype) && Array.isArray(calotype.madeAt) ? calotype.madeAt : [];
  const [x, y] = at.map(Number);
  if (x === undefined || y === undefined || !Number.isFinite(x + y)) return null;
  return { x: node.position.x - x, y: node.position.y - y };
}

/** Stores the position of an instance that was just made. */
export function recordOrigin(graph: Draft, key: string, { x, y }: Point): void {
  const node = graph.nodes[key];
  if (node === undefined) return;
  node.position = { x, y };
  const { calotype, ...others } = propertiesOf(node);
  const own = isObject(calotype) ? calotype : {};
  node.saved = {
    ...node.saved,
    properties: { ...others, calotype: { ...own, madeAt: [x, y] } },
  };
}

function propertiesOf({ saved }: GraphNode): JsonObject {
  return isObject(saved.properties) ? saved.properties : {};
}
