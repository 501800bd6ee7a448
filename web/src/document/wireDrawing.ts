/**
 * How wires are drawn, in the form used in files: reroute points, and the names of hidden wires.
 * Older files store both in `extra`; where links are objects, each link stores its own. What was
 * not edited is written back exactly as read.
 */
import type { Graph, Link, Reroute } from "./graph";
import { equalJson, isObject, type Json, type JsonObject } from "./json";
import { portalName } from "./read";
import { linksThrough } from "./reroute";
import { pointOf } from "./values";

/** A key in the form used in files: a number where it reads as a whole number. */
export function idOf(key: string | null): Json {
  if (key === null) return null;
  return /^-?\d+$/.test(key) ? Number(key) : key;
}

export function writeLink(link: Link, version: number): Json {
  const { saved } = link;
  const [from, to] = [idOf(link.from), idOf(link.to)];
  if (version !== 1 && !isObject(saved)) {
    return saved ?? [link.id, from, link.fromSlot, to, link.toSlot, link.type];
  }
  const written: JsonObject = {
    id: link.id,
    origin_id: from,
    origin_slot: link.fromSlot,
    target_id: to,
    target_slot: link.toSlot,
    type: link.type,
    ...(isObject(saved) ? saved : {}),
  };
  const before = written.parentId == null ? null : String(written.parentId);
  if (before !== link.reroute) {
    if (link.reroute === null) delete written.parentId;
    else written.parentId = idOf(link.reroute);
  }
  if (portalName(written) !== link.portal) {
    if (link.portal === null) {
      delete written.hidden;
      delete written.label;
    } else {
      written.hidden = true;
      written.label = link.portal;
    }
  }
  return isObject(saved) && equalJson(saved, written) ? saved : written;
}

/** Writes reroute points and the drawing of links over what was read. */
export function writeDrawing(graph: Graph, written: JsonObject): void {
  const extra = isObject(written.extra) ? written.extra : {};
  const reroutes = writtenReroutes(graph, graph.saved.reroutes ?? extra.reroutes);
  if (graph.version === 1) {
    if (reroutes !== null) written.reroutes = reroutes;
    const last = Math.max(0, ...Object.keys(graph.reroutes).map(Number).filter(Number.isInteger));
    const state = isObject(written.state) ? written.state : {};
    if (last > Number(state.lastRerouteId ?? 0)) {
      written.state = { ...state, lastRerouteId: last };
    }
    return;
  }
  const changed: JsonObject = {};
  if (reroutes !== null && "reroutes" in graph.saved) written.reroutes = reroutes;
  else if (reroutes !== null) changed.reroutes = reroutes;
  const extensions = writtenExtensions(graph, extra.linkExtensions);
  if (extensions !== null) changed.linkExtensions = extensions;
  const presentation = writtenPresentation(graph, extra.linkPresentation);
  if (presentation !== null) changed.linkPresentation = presentation;
  const isSame = Object.entries(changed).every(([name, value]) => equalJson(extra[name], value));
  if (!isSame) written.extra = { ...extra, ...changed };
}

/** The list of reroute points; null where the file has none and needs none. */
function writtenReroutes(graph: Graph, saved: Json | undefined): Json[] | null {
  const points = Object.values(graph.reroutes);
  if (!Array.isArray(saved) && points.length === 0) return null;
  return points.map((each) => writtenReroute(each, linksThrough(graph, each.key)));
}

function writtenReroute({ key, saved, position, parent }: Reroute, links: string[]): JsonObject {
  const written: JsonObject = { ...saved, id: saved.id ?? idOf(key) };
  const { x, y } = pointOf(saved.pos);
  if (!("pos" in saved) || x !== position.x || y !== position.y) {
    written.pos = [position.x, position.y];
  }
  const before = saved.parentId == null ? null : String(saved.parentId);
  if (before !== parent) {
    if (parent === null) delete written.parentId;
    else written.parentId = idOf(parent);
  }
  const named = Array.isArray(saved.linkIds) ? saved.linkIds.map(String) : [];
  if (!equalJson([...named].sort(), [...links].sort())) written.linkIds = links.map(idOf);
  else if (!("linkIds" in saved)) written.linkIds = [];
  return written;
}

function writtenExtensions(graph: Graph, saved: Json | undefined): Json[] | null {
  const before = Array.isArray(saved) ? saved : [];
  const named = new Set<string>();
  const kept = before.flatMap((each): Json[] => {
    const id = isObject(each) ? String(each.id) : "";
    const link = graph.links[id];
    if (!isObject(each) || link === undefined || link.reroute === null) return [];
    named.add(id);
    if (String(each.parentId) === link.reroute) return [each];
    return [{ ...each, parentId: idOf(link.reroute) }];
  });
  const added = graph.linkOrder.flatMap((key): Json[] => {
    const link = graph.links[key];
    if (link === undefined || link.reroute === null || named.has(key)) return [];
    return isObject(link.saved) ? [] : [{ id: link.id, parentId: idOf(link.reroute) }];
  });
  const all = [...kept, ...added];
  return all.length === 0 && !Array.isArray(saved) ? null : all;
}

function writtenPresentation(graph: Graph, saved: Json | undefined): JsonObject | null {
  const before = isObject(saved) ? saved : {};
  const all: JsonObject = {};
  for (const [id, each] of Object.entries(before)) {
    const link = graph.links[id];
    if (link === undefined) continue;
    if (portalName(each) === link.portal) all[id] = each;
    else if (link.portal !== null) all[id] = named(each, link.portal);
    else if (isObject(each)) {
      const { hidden: _, label: __, ...others } = each;
      if (Object.keys(others).length > 0) all[id] = others;
    }
  }
  for (const [key, link] of Object.entries(graph.links)) {
    if (link.portal === null || key in all || isObject(link.saved)) continue;
    all[key] = named({}, link.portal);
  }
  return Object.keys(all).length === 0 && !isObject(saved) ? null : all;
}

function named(before: Json, name: string): JsonObject {
  return { ...(isObject(before) ? before : {}), hidden: true, label: name };
}
