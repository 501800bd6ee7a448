/** The steps of one movement are merged into one step of undo that restores the start exactly. */
import { expect, test } from "vitest";
import { connect, moveNodes, removeNodes, setValue } from "../../src/document/edit";
import { type Draft, emptyGraph, type GraphNode } from "../../src/document/graph";
import { EMPTY_LOG, type Recorded, record, redo, undo } from "../../src/document/log";

const COUNT = 500;
const EVENTS = 60;

function node(id: number): GraphNode {
  return {
    key: String(id),
    id,
    type: "Any",
    title: null,
    position: { x: id, y: 0 },
    size: { width: 100, height: 50 },
    mode: 0,
    collapsed: false,
    color: null,
    inputs: [{ name: "in", type: "A", link: null, widget: null, saved: {} }],
    outputs: [{ name: "out", type: "A", links: [], saved: {} }],
    values: { text: "before" },
    slots: ["text"],
    saved: {},
  };
}

function many(): Recorded {
  const nodes = Array.from({ length: COUNT }, (_, index) => node(index + 1));
  return {
    graph: {
      ...emptyGraph(),
      nodes: Object.fromEntries(nodes.map((each) => [each.key, each])),
      order: nodes.map((each) => each.key),
    },
    log: EMPTY_LOG,
  };
}

const moveAll = (step: number, keys: number) => (draft: Draft) => {
  const places = Array.from({ length: keys }, (_, index): [string, { x: number; y: number }] => [
    String(index + 1),
    { x: index, y: step },
  ]);
  moveNodes(draft, Object.fromEntries(places));
};

function kept(state: Recorded): number {
  const entry = state.log.done.at(-1);
  return [...(entry?.patches ?? []), ...(entry?.inverses ?? [])].reduce(
    (sum, each) => sum + each.length,
    0,
  );
}

test("dragging many nodes for long keeps one place each, and is undone and redone exactly", () => {
  const before = many();
  let state = before;
  for (let step = 1; step <= EVENTS; step += 1) {
    state = record(state, "Move", moveAll(step, COUNT), "move");
  }
  expect(state.log.done).toHaveLength(1);
  expect(kept(state)).toBe(2 * COUNT);
  const undone = undo(state);
  expect(undone.graph).toEqual(before.graph);
  expect(redo(undone).graph).toEqual(state.graph);
});

test("a thread that comes to touch more keeps what each place was at first", () => {
  const before = many();
  let state = record(before, "Move", moveAll(1, 3), "move");
  state = record(state, "Move", moveAll(2, 5), "move");
  state = record(state, "Move", moveAll(3, 2), "move");
  expect(kept(state)).toBe(2 * 5);
  expect(undo(state).graph).toEqual(before.graph);
  expect(redo(undo(state)).graph).toEqual(state.graph);
});

test("what is more than new values for the same places is kept step by step", () => {
  const before = many();
  const steps: ((draft: Draft) => void)[] = [
    moveAll(1, 4),
    (draft) => setValue(draft, "1", "text", "a"),
    (draft) => setValue(draft, "1", "new", "b"),
    (draft) => setValue(draft, "1", "new", "bc"),
    (draft) => {
      connect(
        draft,
        { node: "1", slot: 0 },
        { node: "2", name: "in", type: "A", isWidget: false },
        "A",
      );
    },
    moveAll(2, 4),
    (draft) => removeNodes(draft, ["2"]),
    (draft) => setValue(draft, "1", "text", "c"),
  ];
  let state = before;
  for (const step of steps) state = record(state, "All of it", step, "thread");
  expect(state.log.done).toHaveLength(1);
  expect(undo(state).graph).toEqual(before.graph);
  expect(redo(undo(state)).graph).toEqual(state.graph);
});

test("a value inside a place that was replaced as a whole is undone with it", () => {
  const before = many();
  const whole = (draft: Draft) => moveNodes(draft, { 1: { x: 9, y: 9 } });
  const inside = (draft: Draft) => {
    const first = draft.nodes["1"];
    if (first !== undefined) first.position.x = 10;
  };
  for (const steps of [
    [whole, inside],
    [inside, whole],
    [whole, inside, whole, inside],
  ]) {
    let state = before;
    for (const step of steps) state = record(state, "Move", step, "thread");
    expect(undo(state).graph).toEqual(before.graph);
    expect(redo(undo(state)).graph).toEqual(state.graph);
  }
});
