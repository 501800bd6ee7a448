/** Making, editing at any depth and unpacking subgraphs loses nothing, on random graphs too. */
import { describe, expect, test } from "vitest";
import { copyDefinition } from "../../src/document/definitions";
import { addNode, connect, setValue } from "../../src/document/edit";
import {
  emptyGraph,
  type Graph,
  type GraphNode,
  isBoundary,
  type Workflow,
} from "../../src/document/graph";
import { widgetInputs } from "../../src/document/instances";
import { equalJson, type Json, parseJson, writeJson } from "../../src/document/json";
import { graphsOf, subgraphsUsedBy } from "../../src/document/levels";
import { EMPTY_LOG, type Recorded, record, redo, undo } from "../../src/document/log";
import { addPort, movePort, namePort, portsOf, removePort } from "../../src/document/ports";
import { promote } from "../../src/document/promote";
import { readGraph } from "../../src/document/read";
import { addReroute } from "../../src/document/reroute";
import { copyNodes, pasteNodes } from "../../src/document/snippet";
import { makeSubgraph } from "../../src/document/subgraph";
import { unpack } from "../../src/document/unpack";
import { writeGraph } from "../../src/document/write";
import { layout, reread, sound } from "./sound";

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

function node(id: number, x: number, y: number): GraphNode {
  return {
    key: String(id),
    id,
    type: `Node${id % 3}`,
    title: null,
    position: { x, y },
    size: { width: 200, height: 80 },
    mode: 0,
    collapsed: false,
    color: null,
    inputs: ["a", "b"].map((name) => ({
      name,
      type: "T",
      link: null,
      widget: null,
      saved: { name, type: "T", link: null },
    })),
    outputs: ["x", "y"].map((name) => ({
      name,
      type: "T",
      links: [],
      saved: { name, type: "T", links: [] },
    })),
    values: { value: id },
    slots: ["value"],
    saved: { id, type: `Node${id % 3}`, pos: [x, y], size: [200, 80], widgets_values: [id] },
  };
}

/** A graph without cycles: wires run from lower to higher ids, some into widgets. */
function sample(chance: () => number, count = 9): Workflow {
  const graph = emptyGraph();
  for (let id = 1; id <= count; id += 1) {
    addNode(graph, node(id, Math.floor(chance() * 900), Math.floor(chance() * 600)));
  }
  for (let made = 0; made < count * 2; made += 1) {
    const to = 2 + Math.floor(chance() * (count - 1));
    const from = 1 + Math.floor(chance() * (to - 1));
    const name = ["a", "b", "value"][Math.floor(chance() * 3)] ?? "a";
    connect(
      graph,
      { node: String(from), slot: Math.floor(chance() * 2) },
      { node: String(to), name, type: "T", isWidget: name === "value" },
      "T",
    );
  }
  return readGraph(parseJson(writeJson(writeGraph(graph))), layout);
}

/** The content of a graph independent of ids: nodes by key, wires by their ends. */
function meaning(graph: Graph, workflow: Workflow) {
  const valuesOf = ({ type, values }: GraphNode) => {
    const definition = workflow.definitions[type];
    if (definition === undefined) return values;
    // Values without a widget are not saved.
    const names = widgetInputs(definition, workflow.definitions);
    return Object.fromEntries(
      names.flatMap((name) => (values[name] == null ? [] : [[name, values[name]]])),
    );
  };
  return {
    nodes: Object.fromEntries(
      Object.values(graph.nodes).map((each) => [
        each.key,
        { type: each.type, position: each.position, values: valuesOf(each), mode: each.mode },
      ]),
    ),
    links: Object.values(graph.links)
      .map(
        ({ from, fromSlot, to, toSlot, type }) =>
          `${from}.${fromSlot} ${to}.${graph.nodes[to]?.inputs[toSlot]?.name} ${type}`,
      )
      .sort(),
  };
}

/** The root, and the subgraphs that have an instance, as others are not saved. */
function neededIn(workflow: Workflow): Graph[] {
  const types = Object.values(workflow.nodes).map((each) => each.type);
  const needed = new Set(subgraphsUsedBy(workflow, types).map((each) => each.graph));
  return graphsOf(workflow).filter((each) => each === workflow || needed.has(each));
}

function chosen(chance: () => number, graph: Graph, share: number): string[] {
  const keys = graph.order.filter((key) => !isBoundary(key));
  const some = keys.filter(() => chance() < share);
  return some.length > 0 ? some : keys.slice(0, 1);
}

test("wires that cross the border keep their points outside of it", () => {
  const graph = emptyGraph();
  for (const [id, x] of [1, 2, 3, 4].map((each) => [each, each * 500] as const)) {
    addNode(graph, node(id, x, 0));
  }
  const wire = (from: string, to: string) =>
    connect(
      graph,
      { node: from, slot: 0 },
      { node: to, name: "a", type: "T", isWidget: false },
      "T",
    );
  const [first, second, third] = [wire("1", "2"), wire("2", "3"), wire("2", "4")];
  const into = addReroute(graph, first, { x: 850, y: 300 }, 0);
  addReroute(graph, first, { x: 1020, y: 40 }, 1);
  const outOf = addReroute(graph, second, { x: 1300, y: 300 }, 0);
  const other = graph.links[third];
  if (other !== undefined) other.reroute = outOf;
  const { graph: made } = record({ graph, log: EMPTY_LOG }, "make", (draft) => {
    makeSubgraph(draft, draft, ["2"], { id: "sub", name: "Two" });
  });
  const linkInto = (key: string) => Object.values(made.links).find(({ to }) => to === key);
  const instance = Object.values(made.nodes).find(({ type }) => type === "sub")?.key ?? "";
  // The point inside the node's area was removed with it.
  expect(linkInto(instance)?.reroute).toBe(into);
  expect([linkInto("3")?.reroute, linkInto("4")?.reroute]).toEqual([outOf, outOf]);
  expect(Object.keys(made.reroutes).sort()).toEqual([into, outOf].sort());
  sound(made);
  const places = (of: Graph) =>
    Object.values(of.reroutes).map(({ key, parent, position }) => ({ key, parent, position }));
  expect(places(reread(made))).toEqual(places(made));
});

describe.each(Array.from({ length: 30 }, (_, seed) => seed))("random graph %i", (seed) => {
  const start = (): Recorded => ({ graph: sample(random(seed)), log: EMPTY_LOG });

  test("making a subgraph and unpacking it leaves what was", () => {
    const before = start();
    const keys = chosen(random(seed + 100), before.graph, 0.4);
    let instance = "";
    const made = record(before, "make", (workflow) => {
      instance = makeSubgraph(workflow, workflow, keys, { id: "sub", name: "Sub" });
    });
    sound(made.graph);
    sound(reread(made.graph));
    expect(Object.keys(made.graph.nodes)).toHaveLength(9 - keys.length + 1);
    const back = record(made, "unpack", (workflow) => {
      unpack(workflow, workflow, instance, layout);
    });
    sound(back.graph);
    expect(meaning(back.graph, back.graph)).toEqual(meaning(before.graph, before.graph));
    expect(back.graph.definitions).toEqual({});
    expect(undo(undo(back)).graph).toEqual(before.graph);
    expect(redo(redo(undo(undo(back)))).graph).toEqual(back.graph);
  });

  test("any edits in any depth are saved as they are, and all undone", () => {
    const chance = random(seed + 500);
    let state = start();
    const first = state.graph;
    for (let step = 0; step < 12; step += 1)
      state = record(state, "edit", (draft) => edit(draft, chance, step));
    sound(state.graph);
    const again = reread(state.graph);
    sound(again);
    expect(equalJson(writeGraph(again), writeGraph(state.graph))).toBe(true);
    const meanings = (workflow: Workflow) =>
      neededIn(workflow).map((each) => meaning(each, workflow));
    expect(meanings(again)).toEqual(meanings(state.graph));
    for (let step = 0; step < 12; step += 1) state = undo(state);
    expect(state.graph).toEqual(first);
  });
});

const typeOf = () => "T";

/** One random edit: making, unpacking, ports, promotion, copies. */
function edit(workflow: Workflow, chance: () => number, step: number): void {
  const graphs = graphsOf(workflow);
  const graph = graphs[Math.floor(chance() * graphs.length)] ?? workflow;
  const instances = Object.values(graph.nodes).filter((each) => each.type in workflow.definitions);
  const [instance] = instances;
  const all = Object.values(workflow.definitions);
  const definition = all[Math.floor(chance() * all.length)];
  const kind = Math.floor(chance() * 8);
  if (kind <= 1 || definition === undefined) {
    makeSubgraph(workflow, graph, chosen(chance, graph, 0.4), { id: `s${step}`, name: `S${step}` });
  } else if (kind === 2 && instance !== undefined) {
    unpack(workflow, graph, instance.key, layout);
  } else if (kind === 3) {
    const side = chance() < 0.5 ? "inputs" : "outputs";
    const count = portsOf(definition, side).length;
    if (count > 0) removePort(workflow, definition, side, Math.floor(chance() * count));
  } else if (kind === 4) {
    const side = chance() < 0.5 ? "inputs" : "outputs";
    addPort(workflow, definition, side, { name: "new", type: "T" });
    const count = portsOf(definition, side).length;
    movePort(workflow, definition, side, count - 1, Math.floor(chance() * count));
    namePort(workflow, definition, side, 0, `port ${step}`);
  } else if (kind === 5) {
    const inner = Object.values(definition.graph.nodes).find(
      (each) =>
        each.type.startsWith("Node") &&
        each.inputs.every((slot) => slot.name !== "value" || slot.link === null),
    );
    if (inner !== undefined)
      promote(workflow, definition, { node: inner.key, widget: "value" }, typeOf);
  } else if (kind === 6 && instance !== undefined) {
    copyDefinition(workflow, graph, instance.key, { id: `copy${step}`, name: "Copy" });
  } else if (instance !== undefined) {
    const own = workflow.definitions[instance.type];
    const [name] = own === undefined ? [] : widgetInputs(own, workflow.definitions);
    if (name !== undefined) setValue(graph, instance.key, name, step);
  }
}

describe("subgraphs in the clipboard", () => {
  const packed = (): Workflow => {
    const graph = sample(random(3));
    return record({ graph, log: EMPTY_LOG }, "make", (workflow) => {
      makeSubgraph(workflow, workflow, ["4", "5", "6"], { id: "sub", name: "Sub" });
    }).graph;
  };
  const paste = (into: Workflow, snippet: Json, level = (workflow: Workflow): Graph => workflow) =>
    record({ graph: into, log: EMPTY_LOG }, "paste", (workflow) => {
      pasteNodes(level(workflow), snippet, layout, { x: 0, y: 0 }, false, workflow);
    }).graph;

  test("come along, and are shared where they are the same", () => {
    const from = packed();
    const snippet = parseJson(writeJson(copyNodes(from, ["10"], from)));
    const fresh = paste(emptyGraph(), snippet);
    expect(Object.keys(fresh.definitions)).toEqual(["sub"]);
    sound(fresh);
    expect(Object.keys(paste(from, snippet).definitions)).toEqual(["sub"]);
  });

  test("get an id of their own where another has theirs", () => {
    const from = packed();
    const snippet = parseJson(writeJson(copyNodes(from, ["10"], from)));
    const changed = record({ graph: from, log: EMPTY_LOG }, "edit", (workflow) => {
      const definition = workflow.definitions.sub;
      if (definition !== undefined)
        addPort(workflow, definition, "inputs", { name: "n", type: "T" });
    }).graph;
    const after = paste(changed, snippet);
    expect(Object.keys(after.definitions)).toHaveLength(2);
    sound(after);
  });

  test("are not put into themselves", () => {
    const from = packed();
    const snippet = parseJson(writeJson(copyNodes(from, ["10"], from)));
    const inside = (workflow: Workflow) => workflow.definitions.sub?.graph ?? workflow;
    expect(() => paste(from, snippet, inside)).toThrow("Sub cannot contain itself");
  });
});
