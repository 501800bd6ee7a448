/**
 * What files say of a node beyond what the editor works with: whether it is pinned, its colours.
 * These stay in `saved`, where a file keeps them.
 */

import type { Draft, GraphNode } from "./graph";
import { isObject } from "./json";

/** A pinned node does not move. */
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

/** A node's title and body, as CSS colours; null takes a colour away. */
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
