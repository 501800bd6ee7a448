/** Lists of saved files, the order of tabs, and the difference between two versions. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { SavedFile } from "../../src/api/library";
import type { NodeSchema } from "../../src/api/types";
import { moveNodes, removeNodes, setValue } from "../../src/document/edit";
import { parseJson } from "../../src/document/json";
import { EMPTY_LOG, record, undo } from "../../src/document/log";
import { readGraph } from "../../src/document/read";
import { differenceOf, replaceWith } from "../../src/document/restore";
import { makeSubgraph } from "../../src/document/subgraph";
import { writeGraph } from "../../src/document/write";
import { recordClosed, useClosed } from "../../src/state/files/closed";
import { moveTab, stepTab } from "../../src/state/files/tabs";
import { foldersOf } from "../../src/state/files/workflows";
import { askText, useQuestion } from "../../src/state/session/ask";
import { activeEditor } from "../../src/state/session/editor";
import { lastPart, nameOf, nameProblem, pathOf } from "../../src/state/session/paths";
import {
  activeTab,
  blankTab,
  changeTab,
  edit,
  isDirty,
  openWorkflow,
  redoEdit,
  setCatalog,
  undoEdit,
  useStudio,
} from "../../src/state/session/studio";
import { ago } from "../../src/words/format";

const path = resolve(import.meta.dirname, "../workflows/seven_nodes.json");
const workflow = () => readGraph(parseJson(readFileSync(path, "utf8")), () => undefined);

describe("tabs", () => {
  beforeEach(() => {
    const tabs = ["a", "b", "c"].map((id) => blankTab(id, id));
    useStudio.setState({ tabs, active: "a" });
  });
  const order = () => useStudio.getState().tabs.map((each) => each.id);

  test.each([
    ["a", 2, ["b", "c", "a"]],
    ["c", 0, ["c", "a", "b"]],
    ["b", 1, ["a", "b", "c"]],
    ["a", 99, ["b", "c", "a"]],
    ["b", -5, ["b", "a", "c"]],
    ["none", 0, ["a", "b", "c"]],
  ])("%s goes to place %i", (id, place, wanted) => {
    moveTab(id, place);
    expect(order()).toEqual(wanted);
  });

  test("one steps around the end", () => {
    stepTab(-1);
    expect(useStudio.getState().active).toBe("c");
    stepTab(1);
    expect(useStudio.getState().active).toBe("a");
  });
});

test("closed documents are known newest first, each once, and not without end", () => {
  for (let index = 0; index < 30; index += 1) {
    const id = `d${index % 20}`;
    recordClosed({ id, name: id, path: null, closed: index, dirty: true, tab: null });
  }
  const { closed } = useClosed.getState();
  expect(closed.length).toBe(10);
  expect(closed[0]?.closed).toBe(29);
  expect(new Set(closed.map((each) => each.id)).size).toBe(10);
});

test("files are shown by folder, the newest first, and found by parts of their names", () => {
  const files: SavedFile[] = [
    { path: "a.json", size: 1, modified: 1 },
    { path: "b.json", size: 1, modified: 2 },
    { path: "sea/deep/c.json", size: 1, modified: 3 },
    { path: "sea/d.json", size: 1, modified: 4 },
  ];
  const shown = (typed: string) =>
    foldersOf(files, typed).map(({ name, files: inside }) => [
      name,
      inside.map((each) => each.path),
    ]);
  expect(shown("")).toEqual([
    ["", ["b.json", "a.json"]],
    ["sea", ["sea/d.json"]],
    ["sea/deep", ["sea/deep/c.json"]],
  ]);
  expect(shown("SEA c")).toEqual([["sea/deep", ["sea/deep/c.json"]]]);
  expect(shown("none")).toEqual([]);
  expect([nameOf("workflows/sea/d.json"), lastPart("sea/d"), pathOf("sea/d")]).toEqual([
    "sea/d",
    "d",
    "workflows/sea/d.json",
  ]);
});

test("a version takes the place of a document, and undo brings it back", () => {
  const version = workflow();
  const before = record({ graph: workflow(), log: EMPTY_LOG }, "Delete", (draft) =>
    removeNodes(draft, ["5", "6"]),
  );
  expect(differenceOf(version, before.graph)).toMatchObject({ added: 0, removed: 2 });
  const after = record(before, "Go back", (draft) => replaceWith(draft, version));
  expect(writeGraph(after.graph)).toEqual(writeGraph(version));
  expect(undo(after).graph).toEqual(before.graph);
});

test("what changed between two versions is counted once a node", () => {
  const before = workflow();
  const { graph } = record({ graph: before, log: EMPTY_LOG }, "Edit", (draft) => {
    setValue(draft, "5", "#0", 7);
    moveNodes(draft, { "5": { x: 0, y: 0 }, "6": { x: 1, y: 1 } });
  });
  expect(differenceOf(before, graph)).toEqual({ added: 0, removed: 0, changed: 2 });
  expect(differenceOf(before, before)).toEqual({ added: 0, removed: 0, changed: 0 });
});

test("what changed inside a subgraph between two versions is counted, too", () => {
  const { graph: before } = record({ graph: workflow(), log: EMPTY_LOG }, "Pack", (draft) => {
    makeSubgraph(draft, draft, ["5", "6"], { id: "sub", name: "Two" });
  });
  const { graph } = record({ graph: before, log: EMPTY_LOG }, "Edit", (draft) => {
    const inner = draft.definitions.sub?.graph;
    if (inner === undefined) throw new Error("no subgraph");
    removeNodes(inner, ["6"]);
    moveNodes(inner, { "5": { x: 9, y: 9 } });
  });
  expect(differenceOf(before, graph)).toEqual({ added: 0, removed: 1, changed: 1 });
  expect(differenceOf(workflow(), before)).toMatchObject({ added: 3, removed: 2 });
});

test("a question that comes before another is answered ends that one", async () => {
  const first = askText("One", { label: "Name", value: "" }, "Save");
  const second = askText("Two", { label: "Name", value: "" }, "Save");
  expect(await first).toBeNull();
  useQuestion.getState().question?.answer({ choice: "done", text: "  given " });
  expect(await second).toBe("given");
  expect(useQuestion.getState().question).toBeNull();
});

test.each([
  [0, "now"],
  [59_000, "now"],
  [61_000, "1 min. ago"],
  [3 * 3_600_000, "3 hr. ago"],
  [86_400_000, "yesterday"],
])("%i milliseconds are %s", (passed, words) => {
  expect(ago(1_000_000_000, 1_000_000_000 + passed)).toBe(words);
});

test.each([
  ["portraits/first", true],
  ["ümläut 模型 🎨", true],
  ["v1.5", true],
  [".hidden", false],
  ["a/.hidden/b", false],
  ["..", false],
  ["../up", false],
  ["a:b", false],
  ["a\\b", false],
  ["con", false],
  ["ends.", false],
  ["a//b", false],
  ["x".repeat(251), false],
])("%s as a name: %s", (name, good) => {
  expect(nameProblem(name) === null).toBe(good);
});

test("a document that is undone to what was saved is not to be saved, however it got there", () => {
  useStudio.setState({ tabs: [], catalog: {} });
  const node = { id: 1, type: "Note", pos: [0, 0], widgets_values: ["one"] };
  const id = openWorkflow({ nodes: [node], links: [], version: 0.4 }, { name: "saved" });
  const move = (x: number) =>
    edit(activeEditor(), "Move", (draft) => moveNodes(draft, { 1: { x, y: 0 } }));
  move(8);
  expect(isDirty(activeTab())).toBe(true);
  undoEdit(activeEditor());
  expect(isDirty(activeTab())).toBe(false);
  redoEdit(activeEditor());
  expect(isDirty(activeTab())).toBe(true);
  changeTab(id, (tab) => ({ savedWorkflow: tab.workflow }));
  move(16);
  undoEdit(activeEditor());
  expect(isDirty(activeTab())).toBe(false);
  undoEdit(activeEditor());
  expect(isDirty(activeTab())).toBe(true);
});

describe("a catalog that comes to know a class", () => {
  test("finds its values by name, in a document that was edited", () => {
    const node = { id: 1, type: "Future", pos: [0, 0], widgets_values: [42] };
    useStudio.setState({ tabs: [], catalog: {} });
    openWorkflow({ nodes: [node], links: [], version: 0.4 }, { name: "of others" });
    edit(activeEditor(), "Move", (draft) => moveNodes(draft, { 1: { x: 8, y: 8 } }));
    expect(activeTab().graph.nodes["1"]?.values).toEqual({ "#0": 42 });
    const count = { name: "count", type: "INT", section: "required", choices: null, options: {} };
    const known = { class_type: "Future", python_module: "pack", inputs: [count], outputs: [] };
    setCatalog({ Future: known as unknown as NodeSchema });
    expect(activeTab().graph.nodes["1"]?.values).toEqual({ count: 42 });
    undoEdit(activeEditor());
    expect(activeTab().graph.nodes["1"]?.values).toEqual({ count: 42 });
  });
});
