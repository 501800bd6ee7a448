/**
 * Part of a graph as a graph of its own: some nodes, the frames that contain only these, and the
 * reroute points of the wires between them.
 */
import { frameState, nodesIn } from "./frames";
import type { Graph, Group, Link, Point, Reroute } from "./graph";
import { isObject, type JsonObject } from "./json";
import { pointsOf } from "./reroute";

/** Wires that come in from other nodes are included, without their points. */
export function partOf(graph: Graph, keys: readonly string[]): Graph {
  const taken = new Set(keys);
  const links: Record<string, Link> = {};
  const reroutes: Record<string, Reroute> = {};
  for (const key of graph.linkOrder) {
    const link = graph.links[key];
    if (link === undefined || !taken.has(link.to)) continue;
    const isInside = taken.has(link.from);
    links[key] = { ...link, saved: null, reroute: isInside ? link.reroute : null };
    if (!isInside) continue;
    for (const point of pointsOf(graph, link)) {
      reroutes[point.key] = { ...point, saved: withoutLinks(point.saved) };
    }
  }
  return {
    ...graph,
    nodes: Object.fromEntries(keys.flatMap((key) => pair(key, graph.nodes[key]))),
    order: graph.order.filter((key) => taken.has(key)),
    links,
    linkOrder: graph.linkOrder.filter((key) => key in links),
    groups: graph.groups.filter((each) => isHeld(graph, each, taken)),
    reroutes,
    version: 0.4,
    saved: { version: 0.4 },
  };
}

function pair<Value>(key: string, value: Value | undefined): [string, Value][] {
  return value === undefined ? [] : [[key, value]];
}

function withoutLinks({ linkIds: _, ...others }: JsonObject): JsonObject {
  return others;
}

function isHeld(graph: Graph, group: Group, taken: ReadonlySet<string>): boolean {
  const inside = nodesIn(graph, group);
  return inside.length > 0 && inside.every((key) => taken.has(key));
}

/** Adds copied frames; `renamed` maps the old keys of their nodes to the new ones. */
export function pasteFrames(
  graph: Graph,
  copied: Graph,
  renamed: ReadonlyMap<string, string>,
  by: Point,
): void {
  const keys = new Set(graph.groups.map((each) => each.key));
  for (const group of copied.groups) {
    let count = keys.size;
    while (keys.has(`frame ${count}`)) count += 1;
    const key = `frame ${count}`;
    keys.add(key);
    const { id: _, ...saved } = group.saved;
    const { nodes, modes } = frameState(group);
    const own = isObject(saved.calotype) ? saved.calotype : null;
    const rename = (name: string) => renamed.get(name) ?? name;
    graph.groups.push({
      ...group,
      key,
      position: { x: group.position.x + by.x, y: group.position.y + by.y },
      saved:
        own === null
          ? saved
          : {
              ...saved,
              calotype: {
                ...own,
                ...("nodes" in own ? { nodes: nodes.map(rename) } : {}),
                ...("modes" in own
                  ? {
                      modes: Object.fromEntries(
                        Object.entries(modes).map(([name, mode]) => [rename(name), mode]),
                      ),
                    }
                  : {}),
              },
            },
    });
  }
}

/** Adds the points of copied links; `made` maps the old keys of links to the new ones. */
export function pastePoints(
  graph: Graph,
  copied: Graph,
  made: ReadonlyMap<string, string>,
  by: Point,
): void {
  const renamed = new Map<string, string>();
  let last = Math.max(0, ...Object.keys(graph.reroutes).map((key) => Number(key) || 0));
  const points = [...made.keys()].flatMap((key) => {
    const link = copied.links[key];
    return link === undefined ? [] : pointsOf(copied, link);
  });
  for (const point of points) {
    if (renamed.has(point.key)) continue;
    last += 1;
    const key = String(last);
    renamed.set(point.key, key);
    graph.reroutes[key] = {
      key,
      position: { x: point.position.x + by.x, y: point.position.y + by.y },
      parent: point.parent === null ? null : (renamed.get(point.parent) ?? null),
      saved: { ...withoutLinks(point.saved), id: last },
    };
  }
  for (const [before, now] of made) {
    const [old, link] = [copied.links[before], graph.links[now]];
    if (old === undefined || link === undefined) continue;
    link.portal = old.portal;
    link.reroute = old.reroute === null ? null : (renamed.get(old.reroute) ?? null);
  }
}
