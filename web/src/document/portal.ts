/**
 * Portals (named wires): a link whose line is not drawn, with a name tag at each end instead. The
 * link itself is unchanged. Wires with one name from one output are one portal with many targets.
 */

import type { Draft, Graph, Link } from "./graph";

/** The links of the portal that a link belongs to; none for a drawn link. */
export function portalOf(graph: Graph, link: Link): string[] {
  if (link.portal === null) return [];
  return graph.linkOrder.filter((key) => {
    const each = graph.links[key];
    return (
      each !== undefined &&
      each.from === link.from &&
      each.fromSlot === link.fromSlot &&
      each.portal === link.portal
    );
  });
}

/** Shows links as tags with this name. */
export function makePortal(graph: Draft, links: readonly string[], name: string): void {
  for (const key of links) {
    const link = graph.links[key];
    if (link !== undefined) link.portal = name;
  }
}

export function renamePortal(graph: Draft, linkKey: string, name: string): void {
  const link = graph.links[linkKey];
  if (link !== undefined) makePortal(graph, portalOf(graph, link), name);
}

/** Shows links as lines again. */
export function drawAsWire(graph: Draft, links: readonly string[]): void {
  for (const key of links) {
    const link = graph.links[key];
    if (link !== undefined) link.portal = null;
  }
}

/** The name, with a number added where a portal from another output has it. */
export function freePortalName(graph: Graph, link: Link, requested: string): string {
  const taken = new Set(
    Object.values(graph.links)
      .filter((each) => each.from !== link.from || each.fromSlot !== link.fromSlot)
      .map((each) => each.portal),
  );
  if (!taken.has(requested)) return requested;
  for (let count = 2; ; count += 1) {
    if (!taken.has(`${requested} ${count}`)) return `${requested} ${count}`;
  }
}
