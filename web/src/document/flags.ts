/**
 * Fields of a saved node that the document has no property for: pinned, colours. They stay in
 * `saved`, as in the file.
 */

import type { Draft, GraphNode } from "./graph";
import { isObject } from "./json";

/** Whether the node is pinned: a pinned node cannot be moved. */
export function isPinned(node: GraphNode): boolean {
  return isObject(node.saved.flags) && node.saved.flags.pinned === true;
}

export function setPinned(graph: Draft, keys: readonly string[], pinned: boolean): void {
  for (const key of keys) {
    const node = graph.nodes[key];
    if (node === undefined || isPinned(node) === pinned) continue;
    const { pinned: _, ...others } = isObject(node.saved.flags) ? node.saved.flags : {};
    node.saved = { ...node.saved, flags: pinned ? { ...others, pinned: true } : others };
  }
}

/** The colours of a node's title and body, in CSS; null removes a colour. */
export interface Paint {
  color: string;
  bgcolor: string;
}

export function setPaint(graph: Draft, keys: readonly string[], paint: Paint | null): void {
  for (const key of keys) {
    const node = graph.nodes[key];
    if (node === undefined) continue;
    node.color = paint?.color ?? null;
    const { bgcolor: _, ...others } = node.saved;
    node.saved = paint === null ? others : { ...others, bgcolor: paint.bgcolor };
  }
}
