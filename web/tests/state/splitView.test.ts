/** Which documents the split view shows after tabs were shown, opened or closed. */
import { afterEach, expect, test } from "vitest";
import {
  closeSplit,
  focusSide,
  followDocuments,
  splitAfter,
  toggleSplitOfOne,
} from "../../src/state/editing/splitView";
import { activeEditor, Editor } from "../../src/state/session/editor";
import { firstViewOf, secondViewOf, viewOf } from "../../src/state/session/sides";
import {
  activeTab,
  blankTab,
  edit,
  openWorkflow,
  type Studio,
  select,
  setViewport,
  showLevel,
  undoEdit,
  useStudio,
} from "../../src/state/session/studio";
import { useView } from "../../src/state/session/view";

const split = { panes: ["a", "b"], share: 0.3 } as const;

function studio(active: string, ...open: string[]): Studio {
  return { catalog: {}, active, tabs: open.map((id) => blankTab(id, id)) };
}

test("the focus goes from side to side without a change", () => {
  expect(splitAfter(split, "a", studio("b", "a", "b", "c"))).toBe(split);
});

test("a document shown from its tab takes the side that had the focus", () => {
  expect(splitAfter(split, "b", studio("c", "a", "b", "c"))?.panes).toEqual(["a", "c"]);
  expect(splitAfter(split, "a", studio("c", "a", "b", "c"))?.panes).toEqual(["c", "b"]);
});

test("closing the document of either side ends the split", () => {
  expect(splitAfter(split, "a", studio("b", "b", "c"))).toBeNull();
  expect(splitAfter(split, "a", studio("a", "a", "c"))).toBeNull();
  expect(splitAfter(split, "a", studio("c", "b", "c"))).toBeNull();
});

test("a document shown from its tab takes the place of a document with two views, or of its form", () => {
  const two = { panes: ["a#1", "a#2"], share: 0.5 } as const;
  expect(splitAfter(two, "a#1", studio("b", "a", "b"))?.panes).toEqual(["b", "a"]);
  expect(splitAfter(two, "a#2", studio("b", "a", "b"))?.panes).toEqual(["a", "b"]);
  const form = { ...two, form: true };
  expect(splitAfter(form, "a#1", studio("b", "a", "b"))?.panes).toEqual(["b#1", "b#2"]);
  expect(splitAfter(two, "a#1", studio("b", "b"))).toBeNull();
});

const INNER = {
  id: "sub",
  name: "Inner",
  nodes: [{ id: 5, type: "Step", inputs: [], outputs: [], widgets_values: [] }],
  links: [],
  inputs: [],
  outputs: [],
};
const FILE = {
  nodes: [
    { id: 1, type: "Step", inputs: [], outputs: [], widgets_values: [] },
    { id: 2, type: "sub", inputs: [], outputs: [], widgets_values: [] },
  ],
  links: [],
  definitions: { subgraphs: [INNER] },
};

let endFollowing: () => void = () => undefined;
afterEach(() => {
  endFollowing();
  useView.setState({ split: null });
});

/** Opens a document on both sides; the first has the focus. */
function openTwice(): { id: string; first: Editor; second: Editor } {
  const id = openWorkflow(FILE, { name: "one" });
  endFollowing = followDocuments();
  globalThis.document ??= { activeElement: null } as Document;
  globalThis.HTMLElement ??= class {} as typeof HTMLElement;
  toggleSplitOfOne(false);
  return { id, first: new Editor(firstViewOf(id)), second: new Editor(secondViewOf(id)) };
}

test("two views of one document have the edits in common, and a level and a selection each", () => {
  const { id, first, second } = openTwice();
  select(activeEditor(), ["1"]);
  focusSide(second.id);
  expect([activeTab().id, viewOf(activeTab())]).toEqual([id, second.id]);
  select(activeEditor(), ["2"]);
  expect([first.tab.selected, second.tab.selected]).toEqual([["1"], ["2"]]);
  showLevel(activeEditor(), ["2"]);
  expect([first.level, second.level]).toEqual([[], ["2"]]);
  expect(Object.keys(second.graph.nodes)).toContain("5");
  edit(activeEditor(), "Move", (draft) => {
    const node = draft.nodes["5"];
    if (node !== undefined) node.position = { x: 40, y: 50 };
  });
  focusSide(first.id);
  edit(activeEditor(), "Move", (draft) => {
    const node = draft.nodes["1"];
    if (node !== undefined) node.position = { x: 7, y: 8 };
  });
  expect(second.graph.nodes["5"]?.position).toEqual({ x: 40, y: 50 });
  expect(first.graph.nodes["1"]?.position).toEqual({ x: 7, y: 8 });
  undoEdit(activeEditor());
  expect(first.graph.nodes["1"]?.position).not.toEqual({ x: 7, y: 8 });
  expect(second.graph.nodes["5"]?.position).toEqual({ x: 40, y: 50 });
});

test("a view inside a subgraph that the other view removes returns to what is left", () => {
  const { first, second } = openTwice();
  focusSide(second.id);
  showLevel(activeEditor(), ["2"]);
  focusSide(first.id);
  edit(activeEditor(), "Delete", (draft) => {
    delete draft.nodes["2"];
    draft.order = draft.order.filter((each) => each !== "2");
  });
  expect(second.level).toEqual([]);
  expect(second.graph).toBe(first.graph);
});

test("a view that has not the focus keeps its own place", () => {
  const { first, second } = openTwice();
  setViewport(second.id, { x: 1, y: 2, zoom: 3 });
  setViewport(first.id, { x: 4, y: 5, zoom: 6 });
  expect(second.tab.viewport).toEqual({ x: 1, y: 2, zoom: 3 });
  expect(first.tab.viewport).toEqual({ x: 4, y: 5, zoom: 6 });
  expect(activeTab().viewport).toEqual({ x: 4, y: 5, zoom: 6 });
});

test("closing a side leaves the other view, and one document", () => {
  const { id, first, second } = openTwice();
  focusSide(second.id);
  showLevel(activeEditor(), ["2"]);
  closeSplit(first.id);
  expect(useView.getState().split).toBeNull();
  expect(activeTab()).toMatchObject({ id, level: ["2"], other: null, isSecond: false });
  expect(useStudio.getState().tabs.filter((each) => each.id === id)).toHaveLength(1);
});

test("a document that takes one of two views leaves the other one as it is", () => {
  const { id, first, second } = openTwice();
  focusSide(second.id);
  showLevel(activeEditor(), ["2"]);
  focusSide(first.id);
  openWorkflow(FILE, { name: "next" });
  expect(useView.getState().split?.panes).toEqual([activeTab().id, id]);
  expect(first.tab).toMatchObject({ id, level: ["2"], other: null });
});

test("the form beside a graph is of the whole document, wherever the graph is", () => {
  openWorkflow(FILE, { name: "form" });
  showLevel(activeEditor(), ["2"]);
  endFollowing = followDocuments();
  toggleSplitOfOne(true);
  const { id } = activeTab();
  const form = new Editor(secondViewOf(id));
  expect([activeTab().level, form.level]).toEqual([["2"], []]);
  openWorkflow(FILE, { name: "next" });
  expect(useView.getState().split?.panes).toEqual([
    firstViewOf(activeTab().id),
    secondViewOf(activeTab().id),
  ]);
  toggleSplitOfOne(true);
  expect(useView.getState().split).toBeNull();
});
