/** Replacing a node by another: which inputs, outputs and values are taken over. */
import { expect, test } from "vitest";
import { addNode, connect } from "../../src/document/edit";
import { emptyGraph, type Graph, type GraphNode, type Workflow } from "../../src/document/graph";
import type { JsonObject } from "../../src/document/json";
import { EMPTY_LOG, record, undo } from "../../src/document/log";
import {
  type Match,
  matchNode,
  type NewSockets,
  type ReplaceRules,
  replaceNode,
} from "../../src/document/replace";
import { addReroute, pointsOf } from "../../src/document/reroute";
import { detachNodes, insertIntoLink, swapInputs } from "../../src/document/rewire";

function node(id: number, inputs: string[], outputs: string[], values: JsonObject = {}): GraphNode {
  const named = (each: string) => each.split(":");
  return {
    key: String(id),
    id,
    type: `T${id}`,
    title: null,
    position: { x: 0, y: 0 },
    size: { width: 200, height: 80 },
    mode: 0,
    collapsed: false,
    color: null,
    inputs: inputs.map((each) => {
      const [name = "", type = ""] = named(each);
      return { name, type, link: null, widget: null, saved: { name, type, link: null } };
    }),
    outputs: outputs.map((each) => {
      const [name = "", type = ""] = named(each);
      return { name, type, links: [], saved: { name, type, links: [] } };
    }),
    values,
    slots: Object.keys(values),
    saved: { id },
  };
}

function join(graph: Graph, from: string, slot: number, to: string, name: string, type: string) {
  return connect(
    graph,
    { node: from, slot },
    { node: to, name, type, isWidget: false },
    graph.nodes[from]?.outputs[slot]?.type ?? type,
  );
}

/** 1 outputs A and B; 2 takes both and outputs C to 3 and 4. */
function sample(): Workflow {
  const graph = emptyGraph();
  addNode(graph, node(1, [], ["a:A", "b:B"]));
  addNode(graph, node(2, ["one:A", "two:B"], ["c:C"], { steps: 8, seed: 3, text: "sea" }));
  addNode(graph, node(3, ["in:C"], []));
  addNode(graph, node(4, ["in:C"], []));
  join(graph, "1", 0, "2", "one", "A");
  join(graph, "1", 1, "2", "two", "B");
  join(graph, "2", 0, "3", "in", "C");
  join(graph, "2", 0, "4", "in", "C");
  return graph;
}

const socketsOf = (made: GraphNode): NewSockets => ({
  inputs: made.inputs.map(({ name, type }) => ({ name, type, isWidget: false })),
  outputs: made.outputs,
});

function rulesFor(graph: Graph, more: Partial<ReplaceRules> = {}): ReplaceRules {
  return {
    fits: (output, wanted) => output === wanted || wanted === "*",
    sourceType: (key) => graph.links[key]?.type ?? "",
    targetType: (key) => {
      const link = graph.links[key];
      return graph.nodes[link?.to ?? ""]?.inputs[link?.toSlot ?? 0]?.type ?? "";
    },
    acceptsValue: () => true,
    isSameKind: () => false,
    isReported: () => true,
    ...more,
  };
}

function plan(graph: Graph, made: GraphNode, more: Partial<ReplaceRules> = {}): Match {
  const old = graph.nodes["2"];
  if (old === undefined) throw new Error("no node");
  return matchNode(graph, old, made, socketsOf(made), rulesFor(graph, more));
}

test("inputs are matched by name first, then by type, then by what fits at all", () => {
  const graph = sample();
  expect(plan(graph, node(9, ["two:B", "one:A"], [])).inputs).toEqual({ 1: "one", 2: "two" });
  expect(plan(graph, node(9, ["x:B", "y:A"], [])).inputs).toEqual({ 1: "y", 2: "x" });
  expect(plan(graph, node(9, ["any:*", "other:*"], [])).inputs).toEqual({ 1: "any", 2: "other" });
  const poorer = plan(graph, node(9, ["y:A"], ["d:D"]));
  expect(poorer.lostLinks).toEqual(["2", "3", "4"]);
});

test("outputs keep the wires that fit, all to one slot", () => {
  const graph = sample();
  expect(plan(graph, node(9, [], ["x:X", "z:C"])).outputs).toEqual({ 3: 1, 4: 1 });
});

test("values go by name, and by kind only where one could mean no other", () => {
  const graph = sample();
  const numbers = (name: string) => name !== "text" && name !== "prompt";
  const isSameKind = (one: string, other: string) => numbers(one) === numbers(other);
  const made = node(9, [], [], { seed: 0, length: 0, prompt: "" });
  expect(plan(graph, made, { isSameKind }).values).toEqual({
    seed: "seed",
    length: "steps",
    prompt: "text",
  });
  const many = node(9, [], [], { length: 0, width: 0 });
  const match = plan(graph, many, { isSameKind });
  expect(match.values).toEqual({});
  expect(match.lostValues).toEqual(["steps", "seed", "text"]);
  expect(plan(graph, made, { acceptsValue: (name) => name !== "seed" }).values).toEqual({});
});

test("the new node stands in the old one's place, with its links, and undo brings the old back", () => {
  const graph = sample();
  const made = node(9, ["y:A", "x:B"], ["x:X", "z:C"], { seed: 0 });
  const match = plan(graph, made);
  const replaced = record({ graph, log: EMPTY_LOG }, "Replace", (draft) =>
    replaceNode(draft, "2", made, socketsOf(made), match),
  );
  const after = replaced.graph;
  expect(Object.keys(after.nodes)).toEqual(["1", "2", "3", "4"]);
  expect(after.nodes["2"]).toMatchObject({ type: "T9", id: 2, values: { seed: 3 } });
  expect(after.nodes["2"]?.inputs.map((each) => each.link)).toEqual(["1", "2"]);
  expect(after.nodes["2"]?.outputs.map((each) => each.links)).toEqual([[], ["3", "4"]]);
  expect(after.links["3"]).toMatchObject({ from: "2", fromSlot: 1, to: "3", type: "C" });
  expect(after.nodes["1"]?.outputs.map((each) => each.links)).toEqual([["1"], ["2"]]);
  expect(undo(replaced).graph).toEqual(graph);
});

test("two inputs swap what feeds them", () => {
  const graph = sample();
  swapInputs(graph, "2", "one", "two");
  expect(graph.nodes["2"]?.inputs.map((each) => each.link)).toEqual(["2", "1"]);
  expect(graph.links["1"]?.toSlot).toBe(1);
});

test("a node put into a wire splits its points, and pulled out leaves the wire whole", () => {
  const graph = sample();
  addReroute(graph, "1", { x: 1, y: 0 }, 0);
  addReroute(graph, "1", { x: 2, y: 0 }, 1);
  addNode(graph, node(5, ["in:A"], ["out:A"]));
  insertIntoLink(graph, "1", {
    into: { node: "5", name: "in", type: "A", isWidget: false },
    from: { node: "5", slot: 0 },
    type: "A",
    after: 1,
  });
  const first = graph.links["1"];
  const second = graph.links[graph.nodes["2"]?.inputs[0]?.link ?? ""];
  if (first === undefined || second === undefined) throw new Error("no links");
  expect(first).toMatchObject({ from: "1", to: "5" });
  expect(second).toMatchObject({ from: "5", to: "2" });
  expect(pointsOf(graph, first).map((each) => each.position.x)).toEqual([1]);
  expect(pointsOf(graph, second).map((each) => each.position.x)).toEqual([2]);
  detachNodes(graph, ["5"]);
  const healed = graph.links[graph.nodes["2"]?.inputs[0]?.link ?? ""];
  expect(healed).toMatchObject({ from: "1", to: "2" });
  expect(graph.nodes["5"]?.inputs[0]?.link).toBeNull();
  expect(graph.nodes["5"]?.outputs[0]?.links).toEqual([]);
});
