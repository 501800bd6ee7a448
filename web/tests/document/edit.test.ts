/** Every edit changes the file, can be undone to the same file, and keeps links consistent. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import {
  connect,
  moveNodes,
  removeAndReconnect,
  removeLink,
  removeNodes,
  setMode,
  setValue,
} from "../../src/document/edit";
import { type Draft, emptyGraph, linkInto } from "../../src/document/graph";
import { isObject, parseJson } from "../../src/document/json";
import { close, EMPTY_LOG, type Recorded, record, redo, undo } from "../../src/document/log";
import { readGraph } from "../../src/document/read";
import { copyNodes, pasteNodes } from "../../src/document/snippet";
import { writeGraph } from "../../src/document/write";

const path = resolve(import.meta.dirname, "../workflows/seven_nodes.json");
const file = parseJson(readFileSync(path, "utf8"));
const layout = () => undefined;
const open = (): Recorded => ({ graph: readGraph(file, layout), log: EMPTY_LOG });
const sampler = "5";

const edits: [string, (draft: Draft) => void][] = [
  ["remove a node", (draft) => removeNodes(draft, [sampler])],
  ["remove all nodes", (draft) => removeNodes(draft, [...draft.order])],
  ["remove and heal", (draft) => removeAndReconnect(draft, [sampler])],
  ["move", (draft) => moveNodes(draft, { [sampler]: { x: 1, y: 2 } })],
  ["set a value", (draft) => setValue(draft, sampler, "#0", 18446744073709551615n)],
  ["mute", (draft) => setMode(draft, [sampler, "6"], 2)],
  ["remove a link", (draft) => removeLink(draft, "7")],
  [
    "link a widget",
    (draft) => {
      connect(
        draft,
        { node: "4", slot: 0 },
        { node: sampler, name: "steps", type: "INT", isWidget: true },
        "INT",
      );
    },
  ],
];

describe.each(edits)("%s", (_name, edit) => {
  test("changes the file, is undone to the same file, and redone", () => {
    const before = open();
    const after = record(before, "edit", edit);
    expect(writeGraph(after.graph)).not.toEqual(file);
    const undone = undo(after);
    expect(writeGraph(undone.graph)).toEqual(file);
    expect(undone.graph).toEqual(before.graph);
    expect(redo(undone).graph).toEqual(after.graph);
  });

  test("leaves a file in which links, inputs and outputs agree", () => {
    const { graph } = record(open(), "edit", edit);
    const again = readGraph(writeGraph(graph), layout);
    for (const link of Object.values(again.links)) {
      expect(again.nodes[link.to]?.inputs[link.toSlot]?.link).toBe(link.key);
      expect(again.nodes[link.from]?.outputs[link.fromSlot]?.links).toContain(link.key);
    }
    const ends = Object.values(again.nodes).flatMap((each) => each.inputs.map((slot) => slot.link));
    expect(ends.filter((each) => each !== null && !(each in again.links))).toEqual([]);
  });
});

test("undo has no limit and typing is one entry", () => {
  let state = open();
  for (const text of ["a", "ab", "abc"]) {
    state = record(state, "type", (draft) => setValue(draft, "2", "#0", text), "2/text");
  }
  expect(state.log.done).toHaveLength(1);
  state = { ...state, log: close(state.log) };
  state = record(state, "type", (draft) => setValue(draft, "2", "#0", "abcd"), "2/text");
  expect(state.log.done).toHaveLength(2);
  for (let step = 0; step < 500; step += 1) {
    state = record(state, "move", (draft) => moveNodes(draft, { "2": { x: step, y: -step - 1 } }));
  }
  for (let step = 0; step < 502; step += 1) state = undo(state);
  expect(writeGraph(state.graph)).toEqual(file);
  expect(undo(state)).toEqual(state);
});

test("an edit that changes nothing leaves no entry, an edit after undo forgets what was undone", () => {
  let state = record(open(), "nothing", () => undefined);
  expect(state.log.done).toHaveLength(0);
  state = undo(record(state, "mute", (draft) => setMode(draft, [sampler], 2)));
  state = record(state, "bypass", (draft) => setMode(draft, [sampler], 4));
  expect(redo(state)).toEqual(state);
});

test("a new link replaces the one its input had", () => {
  const { graph } = open();
  const state = record({ graph, log: EMPTY_LOG }, "join", (draft) => {
    connect(
      draft,
      { node: "2", slot: 0 },
      { node: sampler, name: "negative", type: "CONDITIONING", isWidget: false },
      "CONDITIONING",
    );
  });
  const node = state.graph.nodes[sampler];
  expect(node && linkInto(state.graph, node, "negative")?.from).toBe("2");
  expect(state.graph.nodes["3"]?.outputs[0]?.links).toEqual([]);
});

test("only an edited widget changes in the saved list", () => {
  const state = record(open(), "set", (draft) => setValue(draft, sampler, "#2", 7));
  const before = isObject(file) && Array.isArray(file.nodes) ? file.nodes[4] : null;
  const written = writeGraph(state.graph).nodes;
  const after = Array.isArray(written) ? written[4] : null;
  const values = isObject(before) ? before.widgets_values : null;
  if (!isObject(after) || !Array.isArray(values)) throw new Error("the file has changed");
  expect(after.widgets_values).toEqual(values.map((each, index) => (index === 2 ? 7 : each)));
});

describe("copy and paste", () => {
  const keys = ["2", "3", sampler];

  test("brings new ids, the links among the copied, and values", () => {
    const { graph } = open();
    const snippet = parseJson(JSON.stringify(copyNodes(graph, keys)));
    let made: string[] = [];
    const state = record({ graph, log: EMPTY_LOG }, "paste", (draft) => {
      made = pasteNodes(draft, snippet, layout, { x: 1000, y: 500 });
    });
    expect(made).toEqual(["8", "9", "10"]);
    const copy = state.graph.nodes["10"];
    expect(copy?.values).toEqual(graph.nodes[sampler]?.values);
    expect(copy && linkInto(state.graph, copy, "positive")?.from).toBe("8");
    expect(copy && linkInto(state.graph, copy, "model")).toBeUndefined();
    expect(writeGraph(undo(state).graph)).toEqual(file);
  });

  test("with links, keeps what came in from outside", () => {
    const { graph } = open();
    const snippet = copyNodes(graph, keys);
    const { graph: after } = record({ graph, log: EMPTY_LOG }, "paste", (draft) => {
      pasteNodes(draft, snippet, layout, { x: 0, y: 0 }, true);
    });
    const copy = after.nodes["10"];
    expect(copy && linkInto(after, copy, "model")?.from).toBe("1");
  });

  test("into an empty document", () => {
    const snippet = copyNodes(open().graph, keys);
    const { graph } = record({ graph: emptyGraph(), log: EMPTY_LOG }, "paste", (draft) => {
      pasteNodes(draft, snippet, layout, { x: 0, y: 0 });
    });
    expect(graph.order).toEqual(["1", "2", "3"]);
    expect(graph.linkOrder).toHaveLength(2);
  });
});
