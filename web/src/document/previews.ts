/**
 * Whether a node shows previews while it runs. Stored with the node, as users choose it per node;
 * the default, where the file has nothing, is yes.
 */

import type { Draft, GraphNode } from "./graph";
import { isObject, type JsonObject } from "./json";

export function previewsOf(node: GraphNode): boolean {
  const properties = isObject(node.saved.properties) ? node.saved.properties : {};
  return !isObject(properties.calotype) || properties.calotype.preview !== false;
}

export function setPreviews(draft: Draft, keys: readonly string[], on: boolean): void {
  for (const key of keys) {
    const node = draft.nodes[key];
    if (node === undefined) continue;
    const { calotype, ...others }: JsonObject = isObject(node.saved.properties)
      ? node.saved.properties
      : {};
    const { preview: _, ...kept }: JsonObject = isObject(calotype) ? calotype : {};
    const own = on ? kept : { ...kept, preview: false };
    const properties = Object.keys(own).length === 0 ? others : { ...others, calotype: own };
    node.saved = { ...node.saved, properties };
  }
}
