/** A journalled document is restored equal, after any edits and with any truncated end. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import {
  addGroup,
  moveNodes,
  removeAndReconnect,
  removeNodes,
  setTitle,
  setValue,
} from "../../src/document/edit";
import {
  lineOf,
  replay,
  type Step,
  snapshotLine,
  stepsBetween,
  type TabState,
  tailOf,
} from "../../src/document/journal";
import { parseJson } from "../../src/document/json";
import { close, EMPTY_LOG, type Recorded, record, redo, undo } from "../../src/document/log";
import { readGraph } from "../../src/document/read";
import { writeGraph } from "../../src/document/write";

const path = resolve(import.meta.dirname, "../workflows/seven_nodes.json");
const open = (): Recorded => ({
  graph: readGraph(parseJson(readFileSync(path, "utf8")), () => undefined),
  log: EMPTY_LOG,
});
const tab: TabState = {
  window: "one",
  name: "Flow",
  path: null,
  stamp: null,
  viewport: null,
  level: [],
  place: 0,
  shown: 0,
  closed: null,
};

/** The same numbers for the same seed (mulberry32). */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

function anyEdit(state: Recorded, roll: (sides: number) => number): Recorded {
  const keys = state.graph.order;
  const key = keys[roll(Math.max(1, keys.length))];
  if (key === undefined) return undo(state);
  switch (roll(10)) {
    case 0:
      return undo(state);
    case 1:
      return redo(state);
    case 2:
      return { ...state, log: close(state.log) };
    case 3:
      return record(state, "Delete", (draft) => removeNodes(draft, [key]));
    case 4:
      return record(state, "Heal", (draft) => removeAndReconnect(draft, [key]));
    case 5:
      return record(state, "Seed", (draft) => setValue(draft, key, "#0", 2n ** 63n + 7n));
    case 6:
      return record(state, "Type", (draft) => setTitle(draft, key, `t\n${roll(99)}`), "typing");
    case 7:
      return record(state, "Group", (draft) =>
        addGroup(draft, {
          key: String(roll(1000)),
          title: "Group",
          position: { x: 0, y: 0 },
          size: { width: 1, height: 1 },
          color: null,
          saved: {},
        }),
      );
    default:
      return record(
        state,
        "Move",
        (draft) => moveNodes(draft, { [key]: { x: roll(500), y: roll(500) } }),
        `move ${key}`,
      );
  }
}

/** The journal's lines during random edits, with several edits between two writes. */
function journalled(seed: number, count: number): { lines: string[]; states: Recorded[] } {
  const roll = dice(seed);
  let kept = open();
  let state = kept;
  const lines = [snapshotLine(1, { tab, ...kept, saved: true })];
  const states = [kept];
  for (let index = 0; index < count; index += 1) {
    for (let more = roll(4); more >= 0; more -= 1) state = anyEdit(state, roll);
    const steps = stepsBetween(kept.log, state.log);
    if (steps === null) {
      // Like the writer where no steps lead on, as typed text was undone before it was written.
      lines.push(snapshotLine(lines.length + 1, { tab, ...state, saved: false }));
      states.push(state);
    }
    for (const step of steps ?? []) {
      lines.push(lineOf(lines.length + 1, step));
      states.push(state);
    }
    kept = state;
  }
  return { lines, states };
}

describe.each(Array.from({ length: 40 }, (_, seed) => seed))("edits of seed %i", (seed) => {
  const { lines, states } = journalled(seed, 12);
  const final = states.at(-1);

  test("are steps, but for few", () => {
    const wholes = lines.filter((each) => each.includes('"kind":"whole"'));
    expect(wholes.length).toBeLessThan(lines.length / 3);
  });

  test("come back equal, with their undo and redo", () => {
    const found = replay(lines.join(""));
    expect(found?.graph).toEqual(final?.graph);
    expect(found?.log).toEqual(final?.log);
    expect(found?.truncated).toBe(false);
    let [one, other]: [Recorded, Recorded] = [open(), open()];
    if (found && final) [one, other] = [{ graph: found.graph, log: found.log }, final];
    while (other.log.done.length > 0) [one, other] = [undo(one), undo(other)];
    expect(one.graph).toEqual(other.graph);
  });

  test("torn anywhere, they come back as far as whole lines go", () => {
    const text = lines.join("");
    const roll = dice(seed + 1000);
    for (let index = 0; index < 10; index += 1) {
      const cut = (lines[0]?.length ?? 0) + roll(text.length - (lines[0]?.length ?? 0));
      const whole = text.slice(0, cut).split("\n").length - 1;
      const found = replay(text.slice(0, cut));
      expect(found?.last).toBe(whole);
      expect(found?.truncated).toBe(!text.slice(0, cut).endsWith("\n"));
    }
  });
});

test("a line that is missing, or not for what came before it, ends the reading and is told", () => {
  const { lines } = journalled(3, 12);
  const gap = [...lines.slice(0, 4), ...lines.slice(5)].join("");
  expect(replay(gap)).toMatchObject({ last: 4, truncated: true });
  const edit = { label: "x", thread: null, path: [], inverses: [] };
  const wrong: Step = {
    kind: "edit",
    ...edit,
    patches: [[{ op: "replace", path: ["nodes", "none", "title"], value: 1 }]],
  };
  expect(replay([lines[0], lineOf(2, wrong)].join(""))).toMatchObject({ last: 1, truncated: true });
  expect(replay("\0\0\0")).toBeNull();
  expect(replay("")).toBeNull();
  expect(replay('{"n":1,"kind":"whole","format":99}\n')).toBeNull();
});

test("names, places and saving are kept", () => {
  const start = open();
  const moved = record(start, "Move", (draft) => moveNodes(draft, { "5": { x: 1, y: 1 } }));
  const [step] = stepsBetween(start.log, moved.log) ?? [];
  const text = [
    snapshotLine(7, { tab, ...start, saved: true }),
    lineOf(8, step ?? { kind: "close" }),
    lineOf(9, { kind: "tab", tab: { ...tab, name: "Other", closed: 5 } }),
  ].join("");
  expect(replay(text)).toMatchObject({ saved: false, last: 9, tab: { name: "Other", closed: 5 } });
  expect(replay(text + lineOf(10, { kind: "saved" }))?.saved).toBe(true);
});

test("a long log is cut to its newest entries, and what reaches beyond them is no step", () => {
  let state = open();
  for (let index = 0; index < 20; index += 1) {
    state = record(state, "Move", (draft) => moveNodes(draft, { "5": { x: index + 1, y: 0 } }));
  }
  const { log, left } = tailOf(state.log, 5, 1e6);
  expect([log.done.length, left]).toEqual([5, 15]);
  expect(tailOf(state.log, 100, 10).left).toBe(20);
  let undone = state;
  for (let index = 0; index < 5; index += 1) undone = undo(undone);
  expect(stepsBetween(state.log, undone.log, left)).toEqual([{ kind: "undo", count: 5 }]);
  expect(stepsBetween(state.log, undo(undone).log, left)).toBeNull();
});

test("a journal of the first format is read, whatever the document has become since", () => {
  const kept = (name: string) =>
    readFileSync(resolve(import.meta.dirname, `journals/${name}`), "utf8");
  const found = replay(kept("1.jsonl"));
  expect(found).toMatchObject({ saved: true, truncated: false, tab: { name: "Other", shown: 9 } });
  expect(found && writeGraph(found.graph)).toEqual(parseJson(kept("1.json")));
  expect(found?.log.done.map((each) => each.label)).toEqual(["Change seed", "Move", "Rename"]);
  expect(found?.log.undone.map((each) => each.label)).toEqual(["Delete"]);
});
