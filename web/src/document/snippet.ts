/** Nodes and the links between them as JSON, for the clipboard; and put into a document again. */

import { bring, selfHolding } from "./bring";
import { addNode, connect, type Draft } from "./edit";
import type { Graph, Point, WidgetLayout, Workflow } from "./graph";
import { isObject, type Json, type JsonObject } from "./json";
import { withinOf } from "./levels";
import { NotAWorkflow, readGraph } from "./read";
import { writeDefinition, writeLevel } from "./write";

/**
 * The wires that come in from nodes that stay behind are noted, too; the subgraphs of the
 * `workflow` that the nodes are made of come along.
 */
export function copyNodes(
  graph: Graph,
  keys: readonly string[],
  workflow: Workflow = { ...graph, definitions: {} },
): JsonObject {
  const taken = new Set(keys);
  const whole = writeLevel(graph, workflow);
  const types = keys.flatMap((key) => graph.nodes[key]?.type ?? []);
  const subgraphs = withinOf(workflow, types).map((each) => writeDefinition(each, workflow));
  const list = (value: Json | undefined) => (Array.isArray(value) ? value : []);
  return {
    nodes: list(whole.nodes).filter((each) => isObject(each) && taken.has(String(each.id))),
    links: graph.linkOrder.flatMap((key) => {
      const link = graph.links[key];
      if (link === undefined || !taken.has(link.to)) return [];
      return [[link.id, link.from, link.fromSlot, link.to, link.toSlot, link.type]];
    }),
    ...(subgraphs.length > 0 ? { definitions: { subgraphs } } : {}),
    version: 0.4,
  };
}

/**
 * Adds copied nodes with new ids, their top left corner at `at`. Links among them come along;
 * with `withLinks` also those that come from nodes that are (still) here. Subgraphs that the
 * `workflow` does not have are added to it. Returns the new keys.
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
  if (nodes.length === 0) throw new NotAWorkflow("There are no nodes to paste.");
  if (workflow !== undefined) {
    bring(workflow, copied);
    const held = nodes.find((each) => selfHolding(workflow, graph, each.type));
    const name = workflow.definitions[held?.type ?? ""]?.name;
    if (name !== undefined) {
      throw new NotAWorkflow(`${name} cannot lie in itself. Put it down one level further up.`);
    }
  }
  const left = Math.min(...nodes.map((each) => each.position.x));
  const top = Math.min(...nodes.map((each) => each.position.y));
  const renamed = new Map<string, string>();
  for (const node of nodes) {
    const id = graph.lastNodeId + 1;
    renamed.set(node.key, String(id));
    addNode(graph, {
      ...node,
      key: String(id),
      id,
      position: { x: node.position.x - left + at.x, y: node.position.y - top + at.y },
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
  }
  for (const key of copied.linkOrder) {
    const link = copied.links[key];
    const input = link && copied.nodes[link.to]?.inputs[link.toSlot];
    if (link === undefined || input === undefined) continue;
    const from = renamed.get(link.from) ?? (withLinks ? link.from : undefined);
    const to = renamed.get(link.to);
    if (from === undefined || to === undefined) continue;
    if (graph.nodes[from]?.outputs[link.fromSlot] === undefined) continue;
    const isWidget = input.widget !== null;
    connect(
      graph,
      { node: from, slot: link.fromSlot },
      { node: to, name: input.name, type: input.type, isWidget },
      link.type,
    );
  }
  return [...renamed.values()];
}
