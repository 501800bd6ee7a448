/** Copying nested subgraphs from one document to another. */
import { expect, test } from "vitest";
import type { Workflow } from "../../src/document/graph";
import type { Json, JsonObject } from "../../src/document/json";
import { subgraphsUsedBy } from "../../src/document/levels";
import { EMPTY_LOG, record } from "../../src/document/log";
import { readGraph } from "../../src/document/read";
import { copyNodes, pasteNodes } from "../../src/document/snippet";
import { writeGraph } from "../../src/document/write";

const layout = () => undefined;
const port = (id: number) => ({ id, bounding: [0, 0, 100, 60] });
const node = (id: number, type: string, values: Json[] = []): JsonObject => ({
  id,
  type,
  pos: [0, 0],
  size: [200, 80],
  inputs: [],
  outputs: [],
  widgets_values: values,
});
const definition = (id: string, name: string, nodes: JsonObject[]): JsonObject => ({
  id,
  name,
  version: 1,
  inputNode: port(-10),
  outputNode: port(-20),
  inputs: [],
  outputs: [],
  nodes,
  links: [],
  groups: [],
});

/** Outer contains Middle, which contains Inner, which contains this value. */
function nested(value: number, ids = ["outer", "middle", "inner"]): Workflow {
  const [outer = "", middle = "", inner = ""] = ids;
  return readGraph(
    {
      nodes: [node(1, outer)],
      links: [],
      version: 0.4,
      definitions: {
        subgraphs: [
          definition(outer, "Outer", [node(1, middle)]),
          definition(middle, "Middle", [node(1, inner)]),
          definition(inner, "Inner", [node(1, "PrimitiveInt", [value])]),
        ],
      },
    },
    layout,
  );
}

function paste(into: Workflow, from: Workflow): { graph: Workflow; key: string } {
  const snippet = copyNodes(from, Object.keys(from.nodes), from);
  let key = "";
  const { graph } = record({ graph: into, log: EMPTY_LOG }, "paste", (workflow) => {
    [key = ""] = pasteNodes(workflow, snippet, layout, { x: 400, y: 0 }, false, workflow);
  });
  return { graph, key };
}

/** The value at the bottom of a node's nested subgraphs, which decides what it runs. */
function valueIn(workflow: Workflow, key: string): unknown {
  const all = subgraphsUsedBy(workflow, [workflow.nodes[key]?.type ?? ""]);
  const found = all.flatMap(({ graph }) => Object.values(graph.nodes));
  return found.find((each) => each.type === "PrimitiveInt")?.values;
}

test("a subgraph that differs only deep inside runs its own inside, not the other document's", () => {
  const { graph, key } = paste(nested(5), nested(7));
  expect(Object.values(valueIn(graph, key) ?? {})).toEqual([7]);
  expect(Object.values(valueIn(graph, "1") ?? {})).toEqual([5]);
  expect(Object.keys(graph.definitions)).toHaveLength(6);
  const written = writeGraph(graph);
  const again = readGraph(written, layout);
  expect(Object.values(valueIn(again, key) ?? {})).toEqual([7]);
});

test("one that is the same down to the last level is shared, whatever its ids", () => {
  expect(Object.keys(paste(nested(5), nested(5)).graph.definitions)).toHaveLength(3);
  const other = paste(nested(5), nested(5, ["a", "b", "c"]));
  expect(Object.keys(other.graph.definitions)).toHaveLength(3);
  expect(other.graph.nodes[other.key]?.type).toBe("outer");
  // Subgraphs that got new ids are recognized as equal when pasted again.
  const twice = paste(paste(nested(5), nested(7)).graph, nested(7));
  expect(Object.keys(twice.graph.definitions)).toHaveLength(6);
  expect(Object.values(valueIn(twice.graph, twice.key) ?? {})).toEqual([7]);
});

test("ids that changed places between the documents are told apart", () => {
  const { graph, key } = paste(nested(5), nested(7, ["inner", "outer", "middle"]));
  expect(Object.values(valueIn(graph, key) ?? {})).toEqual([7]);
  expect(Object.values(valueIn(graph, "1") ?? {})).toEqual([5]);
});

test("a subgraph that only the copied one holds another of comes along under its own id", () => {
  const into = readGraph(
    {
      nodes: [node(1, "inner")],
      links: [],
      version: 0.4,
      definitions: {
        subgraphs: [definition("inner", "Inner", [node(1, "PrimitiveInt", [5])])],
      },
    },
    layout,
  );
  const { graph, key } = paste(into, nested(7));
  expect(graph.nodes[key]?.type).toBe("outer");
  expect(Object.values(valueIn(graph, key) ?? {})).toEqual([7]);
  expect(Object.values(valueIn(graph, "1") ?? {})).toEqual([5]);
});

test("group nodes of the older form come along, under another name where theirs is taken", () => {
  const grouped = (value: number): Workflow =>
    readGraph(
      {
        nodes: [node(1, "workflow>Pair")],
        links: [],
        version: 0.4,
        extra: { groupNodes: { Pair: { nodes: [node(0, "PrimitiveInt", [value])] }, Other: {} } },
      },
      layout,
    );
  const empty = readGraph({ nodes: [], links: [], version: 0.4 }, layout);
  const fresh = writeGraph(paste(empty, grouped(7)).graph);
  expect(fresh.extra).toMatchObject({
    groupNodes: { Pair: { nodes: [{ widgets_values: [7] }] } },
  });
  expect(fresh.extra).not.toHaveProperty("groupNodes.Other");
  const { graph, key } = paste(grouped(5), grouped(7));
  expect(graph.nodes[key]?.type).toBe("workflow>Pair 2");
  expect(writeGraph(graph).extra).toMatchObject({
    groupNodes: {
      Pair: { nodes: [{ widgets_values: [5] }] },
      "Pair 2": { nodes: [{ widgets_values: [7] }] },
    },
  });
  expect(paste(graph, grouped(7)).graph.nodes["3"]?.type).toBe("workflow>Pair 2");
});
