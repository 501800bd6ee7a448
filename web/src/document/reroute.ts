/**
 * Reroute points: points that wires pass through. They affect drawing only, never what a link
 * connects. All wires through a point have the same source; branches share points up to where they
 * part.
 */

import type { Draft, Graph, Link, Point, Reroute } from "./graph";

/** The points of a link, from its source on. */
export function pointsOf(graph: Graph, link: Link): Reroute[] {
  const points: Reroute[] = [];
  const seen = new Set<string>();
  for (let key = link.reroute; key !== null && !seen.has(key); ) {
    seen.add(key);
    const point = graph.reroutes[key];
    if (point === undefined) break;
    points.unshift(point);
    key = point.parent;
  }
  return points;
}

/** The links through a point, in the document's order. */
export function linksThrough(graph: Graph, key: string): string[] {
  if (!(key in graph.reroutes)) return [];
  return graph.linkOrder.filter((each) => {
    const link = graph.links[each];
    return (
      link !== undefined &&
      link.reroute !== null &&
      pointsOf(graph, link).some((point) => point.key === key)
    );
  });
}

/**
 * Adds a point to a link, after its first `after` points. Other links that share this part of the
 * wire pass through the new point too. Returns its key.
 */
export function addReroute(graph: Draft, linkKey: string, position: Point, after: number): string {
  const link = graph.links[linkKey];
  if (link === undefined) throw new Error(`There is no link ${linkKey}.`);
  const points = pointsOf(graph, link);
  const before = points[after - 1]?.key ?? null;
  const next = points[after]?.key ?? null;
  const key = String(freeId(graph));
  graph.reroutes[key] = { key, position, parent: before, saved: { id: Number(key) } };
  const following = next === null ? undefined : graph.reroutes[next];
  if (following === undefined) link.reroute = key;
  else following.parent = key;
  return key;
}

/** Routes the link into an input through a point of other links from the same source. */
export function routeThrough(graph: Draft, point: string, node: string, input: string): void {
  const key = graph.nodes[node]?.inputs.find((each) => each.name === input)?.link;
  const link = graph.links[key ?? ""];
  const [other] = linksThrough(graph, point).flatMap((each) => graph.links[each] ?? []);
  if (link === undefined || other?.from !== link.from || other.fromSlot !== link.fromSlot) return;
  link.reroute = point;
}

/**
 * Moves points along with nodes that are about to move: the points whose wires have both ends
 * moving, by the average movement of the ends.
 */
export function movePointsWith(graph: Draft, places: Readonly<Record<string, Point>>): void {
  if (Object.keys(graph.reroutes).length === 0 || Object.keys(places).length < 2) return;
  for (const point of Object.values(graph.reroutes)) {
    const ends = linksThrough(graph, point.key).flatMap((key) => {
      const link = graph.links[key];
      return link === undefined ? [] : [link.from, link.to];
    });
    const moves = ends.map((key) => {
      const [from, to] = [graph.nodes[key]?.position, places[key]];
      return from === undefined || to === undefined ? null : { x: to.x - from.x, y: to.y - from.y };
    });
    const moving = moves.filter((each) => each !== null);
    if (moving.length === 0 || moving.length < moves.length) continue;
    const mean = (side: "x" | "y") =>
      moving.reduce((sum, each) => sum + each[side], 0) / moving.length;
    const by = { x: Math.round(mean("x")), y: Math.round(mean("y")) };
    if (by.x !== 0 || by.y !== 0) {
      point.position = { x: point.position.x + by.x, y: point.position.y + by.y };
    }
  }
}

export function moveReroutes(graph: Draft, places: Readonly<Record<string, Point>>): void {
  for (const [key, position] of Object.entries(places)) {
    const point = graph.reroutes[key];
    if (point !== undefined) point.position = position;
  }
}

/** Removes points; their neighbours are connected directly. */
export function removeReroutes(graph: Draft, keys: readonly string[]): void {
  for (const key of keys) {
    const removed = graph.reroutes[key];
    if (removed === undefined) continue;
    for (const each of Object.values(graph.reroutes)) {
      if (each.parent === key) each.parent = removed.parent;
    }
    for (const link of Object.values(graph.links)) {
      if (link.reroute === key) link.reroute = removed.parent;
    }
    delete graph.reroutes[key];
  }
}

/** Makes a link's wire run directly; its points that no other wire uses are removed. */
export function straighten(graph: Draft, linkKey: string): void {
  const link = graph.links[linkKey];
  if (link === undefined || link.reroute === null) return;
  const points = pointsOf(graph, link);
  link.reroute = null;
  for (const point of points.reverse()) {
    if (point.saved.floating === undefined && !isUsed(graph, point.key)) {
      delete graph.reroutes[point.key];
    }
  }
}

/** Whether a link or another point follows this point. */
function isUsed(graph: Graph, key: string): boolean {
  return (
    Object.values(graph.links).some((each) => each.reroute === key) ||
    Object.values(graph.reroutes).some((each) => each.parent === key)
  );
}

function freeId(graph: Graph): number {
  const saved = graph.saved.state;
  const state = typeof saved === "object" && saved !== null && !Array.isArray(saved) ? saved : {};
  const last = Number(state.lastRerouteId ?? 0) || 0;
  return (
    Object.keys(graph.reroutes).reduce((most, key) => Math.max(most, Number(key) || 0), last) + 1
  );
}
