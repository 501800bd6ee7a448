/** Snippets: nodes and the links between them as JSON for the clipboard, and pasting them. */

import { addNode, connect } from "./edit";
import {
  type Draft,
  type Graph,
  type GraphNode,
  type Point,
  subgraphOf,
  type WidgetLayout,
  type Workflow,
} from "./graph";
import { groupNodesFor, importSubgraphs, wouldContainItself } from "./importSubgraphs";
import { isObject, type Json, type JsonObject } from "./json";
import { subgraphsUsedBy } from "./levels";
import { partOf, pasteFrames, pastePoints } from "./part";
import { NotAWorkflowError, readGraph } from "./read";
import { writeDefinition, writeLevel } from "./write";

/**
 * Copies nodes with their frames, reroute points and portal names, and the subgraphs of `workflow`
 * that they use. Wires from nodes outside the copy are included too.
 */
export function copyNodes(
  graph: Graph,
  keys: readonly string[],
  workflow: Workflow = { ...graph, definitions: {} },
): JsonObject {
  const part = partOf(graph, keys);
  const types = keys.flatMap((key) => graph.nodes[key]?.type ?? []);
  const subgraphs = subgraphsUsedBy(workflow, types).map((each) => writeDefinition(each, workflow));
  const { nodes, links, groups, extra: drawn } = writeLevel(part, workflow);
  const groupNodes = groupNodesFor(workflow, [
    ...types,
    ...subgraphsUsedBy(workflow, types).flatMap(({ graph: { nodes: inner } }) =>
      Object.values(inner).map((each) => each.type),
    ),
  ]);
  const extra = groupNodes === null ? drawn : { ...(isObject(drawn) ? drawn : {}), groupNodes };
  return {
    nodes: nodes ?? [],
    links: links ?? [],
    ...(groups === undefined ? {} : { groups }),
    ...(extra === undefined ? {} : { extra }),
    ...(subgraphs.length > 0 ? { definitions: { subgraphs } } : {}),
    version: 0.4,
  };
}

/**
 * Adds copied nodes with new ids, their top left corner at `at`, and the links among them; with
 * `withLinks` also links from nodes outside the copy, where these still exist. Subgraphs that the
 * `workflow` lacks are added to it. Returns the new keys.
 */
export function pasteNodes(
  graph: Draft,
  snippet: Json,
  layout: WidgetLayout,
  at: Point,
  withLinks = false,
  workflow?: Workflow,
): string[] {
  const copied = readGraph(snippet, layout);
  const nodes = copied.order.flatMap((key) => copied.nodes[key] ?? []);
  if (nodes.length === 0) throw new NotAWorkflowError("There are no nodes to paste.");
  if (workflow !== undefined) importUsedSubgraphs(copied, workflow, graph);
  const left = Math.min(...nodes.map((each) => each.position.x));
  const top = Math.min(...nodes.map((each) => each.position.y));
  const by = avoidOverlap(graph, nodes, { x: at.x - left, y: at.y - top });
  const renamed = new Map(nodes.map((node) => [node.key, pasteNode(graph, node, by)]));
  const newLinks = pasteLinks(graph, copied, renamed, withLinks);
  pastePoints(graph, copied, newLinks, by);
  pasteFrames(graph, copied, renamed, by);
  return [...renamed.values()];
}

const OVERLAP_DISTANCE = 16;
const OVERLAP_SHIFT = 32;

/** The offset, increased until no copy would exactly cover an existing node. */
function avoidOverlap(graph: Graph, nodes: readonly GraphNode[], by: Point): Point {
  const taken = Object.values(graph.nodes).map((each) => each.position);
  const covers = (offset: Point) =>
    nodes.some(({ position: { x, y } }) =>
      taken.some(
        (each) =>
          Math.abs(each.x - x - offset.x) < OVERLAP_DISTANCE &&
          Math.abs(each.y - y - offset.y) < OVERLAP_DISTANCE,
      ),
    );
  const offset = { ...by };
  while (covers(offset)) {
    offset.x += OVERLAP_SHIFT;
    offset.y += OVERLAP_SHIFT;
  }
  return offset;
}

/** Imports the subgraphs of pasted nodes; refuses where one would contain itself. */
function importUsedSubgraphs(copied: Workflow, workflow: Workflow, graph: Graph): void {
  importSubgraphs(workflow, copied);
  const recursive = Object.values(copied.nodes).find((each) =>
    wouldContainItself(workflow, graph, each.type),
  );
  const name = subgraphOf(workflow.definitions, recursive?.type)?.name;
  if (name === undefined) return;
  throw new NotAWorkflowError("{{name}} cannot contain itself. Add it one level further up.", {
    name,
  });
}

/** Adds a node with a new id and no links. Returns its key. */
function pasteNode(graph: Draft, node: GraphNode, by: Point): string {
  const id = graph.lastNodeId + 1;
  addNode(graph, {
    ...node,
    key: String(id),
    id,
    position: { x: node.position.x + by.x, y: node.position.y + by.y },
    inputs: node.inputs.map((each) => ({
      ...each,
      link: null,
      saved: { ...each.saved, link: null },
    })),
    outputs: node.outputs.map((each) => ({
      ...each,
      links: [],
      saved: { ...each.saved, links: [] },
    })),
    saved: { ...node.saved, id },
  });
  return String(id);
}

/**
 * Adds the links of pasted nodes; with `withLinks` also those from outside. Returns the new keys.
 */
function pasteLinks(
  graph: Draft,
  copied: Graph,
  renamed: ReadonlyMap<string, string>,
  withLinks: boolean,
): Map<string, string> {
  const newLinks = new Map<string, string>();
  for (const key of copied.linkOrder) {
    const link = copied.links[key];
    const input = link && copied.nodes[link.to]?.inputs[link.toSlot];
    if (link === undefined || input === undefined) continue;
    const from = renamed.get(link.from) ?? (withLinks ? link.from : undefined);
    const to = renamed.get(link.to);
    if (from === undefined || to === undefined) continue;
    if (graph.nodes[from]?.outputs[link.fromSlot] === undefined) continue;
    const isWidget = input.widget !== null;
    const made = connect(
      graph,
      { node: from, slot: link.fromSlot },
      { node: to, name: input.name, type: input.type, isWidget },
      link.type,
    );
    newLinks.set(key, made);
  }
  return newLinks;
}
