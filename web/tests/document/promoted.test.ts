/** Promoted widgets of a subgraph: the values of its instances, in every form of file. */
import { describe, expect, test } from "vitest";
import { setValue } from "../../src/document/edit";
import { slotLabel, type Workflow } from "../../src/document/graph";
import { widgetInputs } from "../../src/document/instances";
import type { Json, JsonObject } from "../../src/document/json";
import { nodeOfPrompt } from "../../src/document/levels";
import { EMPTY_LOG, type Recorded, record } from "../../src/document/log";
import { portsOf } from "../../src/document/ports";
import { promote, unpromote } from "../../src/document/promote";
import { readGraph } from "../../src/document/read";
import { unpack } from "../../src/document/unpack";
import { writeGraph } from "../../src/document/write";
import { layout, reread, sound } from "./sound";

const typeOf = () => "T";

describe("promoted widgets", () => {
  const inner = (widgets: JsonObject) => ({
    id: "sub",
    version: 1,
    name: "Sub",
    inputNode: { id: -10, bounding: [0, 0, 100, 60] },
    outputNode: { id: -20, bounding: [400, 0, 100, 60] },
    state: { lastNodeId: 2, lastLinkId: 2, lastGroupId: 0, lastRerouteId: 0 },
    inputs: [{ id: "p1", name: "text", type: "STRING", linkIds: [1] }],
    outputs: [],
    nodes: [
      {
        id: 1,
        type: "NodeA",
        inputs: [{ name: "value", type: "STRING", widget: { name: "value" }, link: 1 }],
        widgets_values: ["inside"],
      },
      { id: 2, type: "NodeB", widgets_values: [7] },
    ],
    links: [
      { id: 1, origin_id: -10, origin_slot: 0, target_id: 1, target_slot: 0, type: "STRING" },
    ],
    ...widgets,
  });
  const open = (instance: JsonObject): Recorded => ({
    graph: readGraph(
      {
        nodes: [{ id: 9, type: "sub", ...instance }],
        links: [],
        definitions: { subgraphs: [inner({})] },
        version: 0.4,
      },
      layout,
    ),
    log: EMPTY_LOG,
  });
  const instanceOf = (workflow: Workflow) => {
    const { nodes } = writeGraph(workflow);
    return (Array.isArray(nodes) ? nodes[0] : null) as JsonObject;
  };
  const set = (state: Recorded, name: string, value: Json) =>
    record(state, "set", (draft) => setValue(draft, "9", name, value)).graph;

  test("of today's files hold their values by the inputs' order", () => {
    const state = open({ widgets_values: ["mine"] });
    expect(state.graph.nodes["9"]?.values).toEqual({ text: "mine" });
    expect(instanceOf(set(state, "text", "other")).widgets_values).toEqual(["other"]);
  });

  test("of the first files get a list as long as what they promote", () => {
    const proxyWidgets = [
      ["1", "value"],
      ["2", "value"],
      ["2", "$$preview"],
    ];
    const state = open({ properties: { proxyWidgets }, widgets_values: [] });
    const written = instanceOf(set(state, "2/value", 8));
    expect(written.widgets_values).toEqual([null, 8, null]);
    expect(written.properties).toEqual({ proxyWidgets });
    expect(instanceOf(set(state, "text", "mine")).widgets_values).toEqual(["mine", null, null]);
  });

  test("of the second files are called by their inputs, numbered or not", () => {
    const proxyWidgets = [
      ["-1", "text"],
      ["2", "2: value"],
    ];
    const state = open({ properties: { proxyWidgets }, widgets_values: ["mine", null] });
    expect(state.graph.nodes["9"]?.values).toEqual({ text: "mine", "2/value": null });
  });

  test("of files that hold those of inputs only, beside promotions of inner widgets", () => {
    const proxyWidgets = [
      ["-1", "text"],
      ["2", "value"],
      ["2", "control_after_generate"],
    ];
    const state = open({ properties: { proxyWidgets }, widgets_values: ["mine"] });
    expect(state.graph.nodes["9"]?.values).toEqual({ text: "mine" });
    const written = instanceOf(set(state, "text", "other"));
    expect(written.widgets_values).toEqual(["other"]);
    expect(written.properties).toEqual({ proxyWidgets });
  });

  test("that a newer editor put aside hold, until they are set again", () => {
    const aside = (hostValue: Json) => [{ originalEntry: ["-1", "text"], reason: "x", hostValue }];
    const properties = { proxyWidgetErrorQuarantine: aside("kept") };
    const state = open({ properties, widgets_values: ["old"] });
    expect(state.graph.nodes["9"]?.values).toEqual({ text: "kept" });
    const written = instanceOf(set(state, "text", "new"));
    expect(written.widgets_values).toEqual(["new"]);
    expect(written.properties).toEqual({ proxyWidgetErrorQuarantine: [] });
  });

  test("are brought into today's form by promoting, and keep their values", () => {
    const proxyWidgets = [["2", "value"]];
    const state = open({ properties: { proxyWidgets }, widgets_values: [5] });
    const { graph } = record(state, "promote", (workflow) => {
      const definition = workflow.definitions.sub;
      if (definition !== undefined)
        promote(workflow, definition, { node: "1", widget: "value" }, typeOf);
    });
    sound(graph);
    expect(widgetInputs(graph.definitions.sub as never, graph.definitions)).toEqual([
      "text",
      "value",
    ]);
    const again = reread(graph);
    expect(again.nodes["9"]?.values).toMatchObject({ value: 5 });
    expect(instanceOf(graph).properties).toEqual({});
    const { graph: without } = record({ graph, log: EMPTY_LOG }, "unpromote", (workflow) => {
      const definition = workflow.definitions.sub;
      if (definition !== undefined)
        unpromote(workflow, definition, { node: "2", widget: "value" }, typeOf);
    });
    expect(widgetInputs(without.definitions.sub as never, without.definitions)).toEqual(["text"]);
    // The inner widget gets the value that was shown.
    expect(without.definitions.sub?.graph.nodes["2"]?.values).toEqual({ value: 5 });
  });

  const hide = (state: Recorded, path: string[] = []) =>
    record(state, "unpromote", (workflow) => {
      const definition = workflow.definitions.sub;
      const inside = { node: "1", widget: "value" };
      if (definition !== undefined) unpromote(workflow, definition, inside, typeOf, path);
    });
  const show = (state: Recorded) =>
    record(state, "promote", (workflow) => {
      const definition = workflow.definitions.sub;
      const inside = { node: "1", widget: "value" };
      if (definition !== undefined) promote(workflow, definition, inside, typeOf);
    });
  const insideOf = ({ graph }: Recorded) => graph.definitions.sub?.graph.nodes["1"]?.values;

  test("leave what they showed inside when they are hidden", () => {
    const hidden = hide(open({ widgets_values: ["mine"] }));
    expect(insideOf(hidden)).toEqual({ value: "mine" });
    expect(reread(hidden.graph).definitions.sub?.graph.nodes["1"]?.values).toEqual({
      value: "mine",
    });
    // An instance without a value of its own leaves the inner widget's value unchanged.
    expect(insideOf(hide(open({ widgets_values: [null] })))).toEqual({ value: "inside" });
    sound(hidden.graph);
  });

  test("come back to each instance that held another value, also from the file", () => {
    const two: Recorded = {
      graph: readGraph(
        {
          nodes: [
            { id: 8, type: "sub", widgets_values: ["one"] },
            { id: 9, type: "sub", widgets_values: ["two"] },
          ],
          links: [],
          definitions: { subgraphs: [inner({})] },
          version: 0.4,
        },
        layout,
      ),
      log: EMPTY_LOG,
    };
    // With the path through the second instance, whose value is the one that is kept.
    const hidden = hide(two, ["9"]);
    expect(insideOf(hidden)).toEqual({ value: "two" });
    const shown = show({ graph: reread(hidden.graph), log: EMPTY_LOG });
    const [name = ""] = widgetInputs(shown.graph.definitions.sub as never, shown.graph.definitions);
    expect(shown.graph.nodes["8"]?.values[name]).toBe("one");
    expect(shown.graph.nodes["9"]?.values[name] ?? null).toBeNull();
    expect(instanceOf(shown.graph).properties).toEqual({});
    // Without a path, and with different values, the inner widget keeps its own.
    const unseen = hide(two);
    expect(insideOf(unseen)).toEqual({ value: "inside" });
    const again = show(unseen);
    expect(again.graph.nodes["8"]?.values).toMatchObject({ [name]: "one" });
    expect(again.graph.nodes["9"]?.values).toMatchObject({ [name]: "two" });
  });

  test("of one label are told apart by the nodes they are of", () => {
    const { graph } = record(open({ widgets_values: ["one"] }), "promote", (workflow) => {
      const definition = workflow.definitions.sub;
      const node = definition?.graph.nodes["2"];
      if (definition === undefined || node === undefined) return;
      node.title = "Negative";
      promote(workflow, definition, { node: "2", widget: "text" }, typeOf);
    });
    sound(graph);
    const ports = portsOf(graph.definitions.sub as never, "inputs");
    expect(ports.map(slotLabel)).toEqual(["text", "Negative: text"]);
    expect(ports.map((each) => each.name)).toEqual(["text", "text_1"]);
  });

  test("go back into the widgets inside when the instance is unpacked", () => {
    const state = open({ widgets_values: ["mine"] });
    const { graph } = record(state, "unpack", (workflow) => {
      unpack(workflow, workflow, "9", layout);
    });
    expect(graph.nodes["1"]?.values).toEqual({ value: "mine" });
    expect(nodeOfPrompt(state.graph, "9:1")?.node.type).toBe("NodeA");
  });
});
