/**
 * A node without regard to its position: while dragged, a node is a new object at each step, and
 * its fields would be rendered each time for nothing.
 */

import { useRef } from "react";
import type { GraphNode } from "../../document/graph";
import { useTab } from "./editor";

/** A node of the level shown; the same object as before where only its position changed. */
export function useContent(key: string | undefined): GraphNode | undefined {
  const kept = useRef<GraphNode | undefined>(undefined);
  return useTab((tab) => {
    const node = key === undefined ? undefined : tab.graph.nodes[key];
    const same = node !== undefined && kept.current !== undefined && holdSame(node, kept.current);
    if (!same) kept.current = node;
    return kept.current;
  });
}

const compared = new WeakMap<GraphNode, { other: GraphNode; same: boolean }>();

/** Whether two nodes differ only in position. Cached, as many components compare the same two. */
function holdSame(one: GraphNode, other: GraphNode): boolean {
  if (one === other) return true;
  const cached = compared.get(one);
  if (cached?.other === other) return cached.same;
  const names = Object.keys(one) as (keyof GraphNode)[];
  const same =
    names.length === Object.keys(other).length &&
    names.every((name) => name === "position" || one[name] === other[name]);
  compared.set(one, { other, same });
  return same;
}
