/** Layouts: no overlaps, sources left of targets, few crossings, straight wires. */
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { type Box, boundsOfBoxes, encloses, overlaps } from "../../src/document/arrange";
import { autoLayout, type LayoutTask } from "../../src/document/autoLayout";
import { parseJson } from "../../src/document/json";
import { readGraph } from "../../src/document/read";
import { type LayoutEdge, withFewerCrossings } from "../../src/document/straighten";

const MARGIN = { before: { x: 16, y: 52 }, after: { x: 16, y: 16 } };

/** Reproducible pseudorandom numbers. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}

function tangle(count: number, seed: number): LayoutTask {
  const next = random(seed);
  const boxes = new Map<string, Box>();
  const edges: LayoutEdge[] = [];
  for (let index = 0; index < count; index += 1) {
    const size = { width: 180 + Math.floor(next() * 200), height: 60 + Math.floor(next() * 400) };
    boxes.set(String(index), { x: next() * 2000, y: next() * 2000, ...size });
    for (let wire = 0; index > 0 && wire < 3; wire += 1) {
      if (next() < 0.3) continue;
      const from = String(Math.floor(next() * index));
      edges.push({ from, to: String(index), fromY: 40, toY: 40 + 20 * wire });
    }
  }
  return { boxes, edges, parents: new Map(), margin: MARGIN };
}

function expectApart(boxes: ReadonlyMap<string, Box>): void {
  const all = [...boxes];
  const hits = all.flatMap(([key, one], index) =>
    all
      .slice(index + 1)
      .filter(([, other]) => overlaps(one, other))
      .map(([other]) => [key, other]),
  );
  expect(hits).toEqual([]);
}

function expectLeftToRight(boxes: ReadonlyMap<string, Box>, edges: readonly LayoutEdge[]): void {
  for (const { from, to } of edges) {
    const [source, target] = [boxes.get(from), boxes.get(to)];
    if (source === undefined || target === undefined) throw new Error("a box is gone");
    expect(source.x + source.width).toBeLessThan(target.x);
  }
}

describe.each([1, 2, 3, 4])("a tangle of 40 boxes (%i)", (seed) => {
  test("has no overlaps, sources stand left of targets, sizes stay", async () => {
    const task = tangle(40, seed);
    const after = await autoLayout(task);
    expect(after.size).toBe(40);
    expectApart(after);
    expectLeftToRight(after, task.edges);
    for (const [key, { width, height }] of task.boxes) {
      expect(after.get(key)).toMatchObject({ width, height });
    }
  });
});

test("a large tangle, too", async () => {
  const task = tangle(200, 7);
  const after = await autoLayout(task);
  expect(after.size).toBe(200);
  expectApart(after);
  expectLeftToRight(after, task.edges);
});

test("columns are put into an order in which fewer wires cross", () => {
  const item = (key: string, column: number, y: number) => ({ key, column, y, height: 10 });
  const items = ["a", "b", "c"].flatMap((key, index) => [
    item(key, 0, index * 10),
    item(key.toUpperCase(), 1, (2 - index) * 10),
  ]);
  const edges = ["a", "b", "c"].map((from) => ({
    from,
    to: from.toUpperCase(),
    fromY: 5,
    toY: 5,
  }));
  const placed = withFewerCrossings(items, edges);
  const column = (which: number) =>
    placed
      .filter((each) => each.column === which)
      .sort((one, other) => one.y - other.y)
      .map((each) => each.key.toLowerCase());
  expect(column(1)).toEqual(column(0));
});

test("a chain is drawn with straight wires", async () => {
  const boxes = new Map<string, Box>(
    [300, 80, 500, 120].map((height, index) => [
      String(index),
      { x: 0, y: index * 50, width: 200, height },
    ]),
  );
  const edges = [0, 1, 2].map((index) => ({
    from: String(index),
    to: String(index + 1),
    fromY: 48,
    toY: 40,
  }));
  const after = await autoLayout({ boxes, edges, parents: new Map(), margin: MARGIN });
  const bends = edges.map(
    ({ from, to, fromY, toY }) =>
      (after.get(from)?.y ?? 0) + fromY - ((after.get(to)?.y ?? 0) + toY),
  );
  expect(bends).toEqual([0, 0, 0]);
});

test("frames stay together, in one another too, and nothing else lies in them", async () => {
  const task = tangle(24, 9);
  const parents = new Map<string, string>();
  for (const key of ["3", "4", "5"]) parents.set(key, "inner");
  for (const key of ["6", "7"]) parents.set(key, "outer");
  parents.set("inner", "outer");
  const after = await autoLayout({ ...task, parents });
  expectApart(after);
  const outer = boundsOfBoxes(["3", "4", "5", "6", "7"].flatMap((key) => after.get(key) ?? []));
  const inner = boundsOfBoxes(["3", "4", "5"].flatMap((key) => after.get(key) ?? []));
  if (outer === null || inner === null) throw new Error("the frames are empty");
  expect(encloses(outer, inner)).toBe(true);
  for (const [key, box] of after) {
    if (!parents.has(key)) expect(overlaps(outer, box)).toBe(false);
    if (parents.get(key) !== "inner") expect(overlaps(inner, box)).toBe(false);
  }
});

test("what has no wires stands in rows below", async () => {
  const task = tangle(6, 5);
  const notes = ["n1", "n2", "n3"].map((key): [string, Box] => [
    key,
    { x: 0, y: 0, width: 240, height: 100 },
  ]);
  const after = await autoLayout({ ...task, boxes: new Map([...task.boxes, ...notes]) });
  expectApart(after);
  const wired = boundsOfBoxes([...task.boxes.keys()].flatMap((key) => after.get(key) ?? []));
  for (const [key] of notes) {
    expect(after.get(key)?.y).toBeGreaterThan((wired?.y ?? 0) + (wired?.height ?? 0));
  }
});

const folder = resolve(import.meta.dirname, "../../workflows");
const files = readdirSync(folder).filter((each) => each.endsWith(".json"));
test.each(files)("%s comes out in order", async (file) => {
  const graph = readGraph(parseJson(readFileSync(resolve(folder, file), "utf8")), () => undefined);
  const boxes = new Map(
    graph.order.flatMap((key): [string, Box][] => {
      const node = graph.nodes[key];
      return node === undefined ? [] : [[key, { ...node.position, ...node.size }]];
    }),
  );
  const edges = Object.values(graph.links).map(({ from, to, fromSlot, toSlot }) => ({
    from,
    to,
    fromY: 40 + 20 * fromSlot,
    toY: 40 + 20 * toSlot,
  }));
  const after = await autoLayout({ boxes, edges, parents: new Map(), margin: MARGIN });
  expectApart(after);
  expectLeftToRight(after, edges);
});

test("what feeds one box stands in the order of the sockets it feeds", async () => {
  const box = (height: number): Box => ({ x: 0, y: 0, width: 240, height });
  const task: LayoutTask = {
    boxes: new Map([
      ["latent", box(140)],
      ["negative", box(150)],
      ["positive", box(170)],
      ["loader", box(130)],
      ["sampler", box(292)],
    ]),
    edges: [
      { from: "loader", to: "sampler", fromY: 46, toY: 46 },
      { from: "loader", to: "negative", fromY: 66, toY: 46 },
      { from: "loader", to: "positive", fromY: 66, toY: 46 },
      { from: "latent", to: "sampler", fromY: 46, toY: 106 },
      { from: "negative", to: "sampler", fromY: 46, toY: 86 },
      { from: "positive", to: "sampler", fromY: 46, toY: 66 },
    ],
    parents: new Map(),
    margin: MARGIN,
  };
  const after = await autoLayout(task);
  const y = (key: string) => after.get(key)?.y ?? Number.NaN;
  expect(y("positive")).toBeLessThan(y("negative"));
  expect(y("negative")).toBeLessThan(y("latent"));
});
