/** Consistency checks for a document with subgraphs, and writing and reading it. */
import { expect } from "vitest";
import type { Workflow } from "../../src/document/graph";
import { parseJson, writeJson } from "../../src/document/json";
import { graphsOf, instancesOf } from "../../src/document/levels";
import { portsOf } from "../../src/document/ports";
import { readGraph } from "../../src/document/read";
import { writeGraph } from "../../src/document/write";

export const layout = (type: string) =>
  type.startsWith("Node") ? [{ name: "value", kind: "value", default: 0 } as const] : undefined;

/**
 * Asserts that links, inputs and outputs agree on every level, and instances with their subgraphs.
 */
export function sound(workflow: Workflow): void {
  for (const graph of graphsOf(workflow)) {
    for (const link of Object.values(graph.links)) {
      expect(graph.nodes[link.to]?.inputs[link.toSlot]?.link).toBe(link.key);
      expect(graph.nodes[link.from]?.outputs[link.fromSlot]?.links).toContain(link.key);
    }
    for (const each of Object.values(graph.nodes)) {
      const ends = [
        ...each.inputs.map((slot) => slot.link),
        ...each.outputs.flatMap((slot) => slot.links),
      ];
      expect(ends.filter((key) => key !== null && !(key in graph.links))).toEqual([]);
    }
  }
  for (const definition of Object.values(workflow.definitions)) {
    const names = portsOf(definition, "inputs").map((port) => port.name);
    expect(new Set(names).size).toBe(names.length);
    for (const { node: instance } of instancesOf(workflow, definition.id)) {
      for (const input of instance.inputs) expect(names).toContain(input.name);
      expect(instance.outputs.length).toBe(portsOf(definition, "outputs").length);
    }
  }
}

export function reread(workflow: Workflow): Workflow {
  return readGraph(parseJson(writeJson(writeGraph(workflow))), layout);
}
