/**
 * The points that wires run through. Drawing only: what a link joins never depends on them.
 * All wires through a point come from one output; branches share the points up to where they part.
 */

import type { Draft, Graph, Link, Point, Reroute } from "./graph";

/** The points a link runs through, from its source on. */
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

/** The links that run through a point, in the document's order. */
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
 * Adds a point to a link, after the first `after` points it has. Where other links share the
 * stretch between the points around it, they run through the new one, too. Returns its key.
 */
export function addReroute(graph: Draft, linkKey: string, position: Point, after: number): string {
  const link = graph.links[linkKey];
  if (link === undefined) throw new Error(`There is no link ${linkKey}.`);
  const points = pointsOf(graph, link);
  const before = points[after - 1]?.key ?? null;
  const next = points[after]?.key ?? null;
  const key = String(freeId(graph));
  graph.reroutes[key] = { key, position, parent: before, saved: { id: Number(key) } };
  const behind = next === null ? undefined : graph.reroutes[next];
  if (behind === undefined) link.reroute = key;
  else behind.parent = key;
  return key;
}

/** Lets the link into an input run through a point that other links of its source run through. */
export function branchOff(graph: Draft, point: string, node: string, input: string): void {
  const key = graph.nodes[node]?.inputs.find((each) => each.name === input)?.link;
  const link = graph.links[key ?? ""];
  const [other] = linksThrough(graph, point).flatMap((each) => graph.links[each] ?? []);
  if (link === undefined || other?.from !== link.from || other.fromSlot !== link.fromSlot) return;
  link.reroute = point;
}

/**
 * Takes points along with nodes that are about to move: those of the wires both of whose ends do,
 * as far as the ends move on the average.
 */
export function carryPoints(graph: Draft, places: Readonly<Record<string, Point>>): void {
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
    const along = moves.filter((each) => each !== null);
    if (along.length === 0 || along.length < moves.length) continue;
    const mean = (side: "x" | "y") =>
      along.reduce((sum, each) => sum + each[side], 0) / along.length;
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

/** Takes points away; the wires run on between their neighbours. */
export function removeReroutes(graph: Draft, keys: readonly string[]): void {
  for (const key of keys) {
    const gone = graph.reroutes[key];
    if (gone === undefined) continue;
    for (const each of Object.values(graph.reroutes)) {
      if (each.parent === key) each.parent = gone.parent;
    }
    for (const link of Object.values(graph.links)) {
      if (link.reroute === key) link.reroute = gone.parent;
    }
    delete graph.reroutes[key];
  }
}

/** The link's wire runs straight from now on; points that no other wire uses go with it. */
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

/** Whether a link or another point hangs on it. */
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
