/** Making a subgraph of nodes and unpacking it: its position, and what is saved of it. */

import { beforeEach, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { type Box, overlaps } from "../../src/document/arrange";
import { type Json, parseJson, writeJson } from "../../src/document/json";
import { writeGraph } from "../../src/document/write";
import { removeSelected } from "../../src/state/editing/actions";
import { packSelected, unpackSelected } from "../../src/state/editing/subgraphs";
import { activeEditor } from "../../src/state/editor";
import { boxesOf } from "../../src/state/nodes/boxes";
import { activeTab, openWorkflow, select, setCatalog, undoEdit } from "../../src/state/studio";

const CATALOG = readCatalog({
  Step: { input: { required: { image: ["IMAGE"] } }, output: ["IMAGE"], output_name: ["IMAGE"] },
});

const step = (id: number, [x, y]: [number, number], from: number | null, to: number[]) => ({
  id,
  type: "Step",
  pos: [x, y],
  size: [200, 60],
  inputs: [{ name: "image", type: "IMAGE", link: from }],
  outputs: [{ name: "IMAGE", type: "IMAGE", links: to }],
  widgets_values: [],
});

/** A row, and a node exactly at the centre of the two that are taken. */
const ROW: Json = {
  nodes: [
    step(1, [0, 0], null, [1]),
    step(2, [400, 0], 1, [2]),
    step(3, [1200, 600], 2, [3]),
    step(4, [1600, 600], 3, []),
    step(5, [800, 300], null, []),
  ],
  links: [
    [1, 1, 0, 2, 0, "IMAGE"],
    [2, 2, 0, 3, 0, "IMAGE"],
    [3, 3, 0, 4, 0, "IMAGE"],
  ],
  version: 0.4,
};

const definitionsOf = (saved: Json): string[] => {
  const { definitions } = saved as { definitions?: { subgraphs: { name: string }[] } };
  return (definitions?.subgraphs ?? []).map(({ name }) => name);
};
const saved = () => parseJson(writeJson(writeGraph(activeTab().workflow)));
const boxOf = (key: string): Box => {
  const box = boxesOf(activeEditor(), [key]).get(key);
  if (box === undefined) throw new Error(`There is no node ${key}.`);
  return box;
};

beforeEach(() => {
  setCatalog(CATALOG);
  openWorkflow(ROW, { name: "Row" });
});

test("a subgraph stands in the middle of what it replaces, on no other node", () => {
  const places = () =>
    Object.fromEntries([1, 2, 3, 4, 5].map((key) => [key, activeTab().graph.nodes[key]?.position]));
  const before = places();
  select(["2", "3"]);
  packSelected();
  const [made = ""] = activeTab().selected;
  const box = boxOf(made);
  for (const [key, other] of boxesOf(activeEditor()))
    if (key !== made) expect(overlaps(box, other)).toBe(false);
  const [first, last] = [boxOf("1"), boxOf("4")];
  expect(box.x).toBeGreaterThan(first.x + first.width);
  expect(box.x + box.width).toBeLessThan(last.x);
  expect(Math.abs(box.x + box.width / 2 - 900)).toBeLessThan(300);
  expect(Math.abs(box.y + box.height / 2 - 330)).toBeLessThan(300);
  expect(activeTab().log.done).toHaveLength(1);
  unpackSelected();
  expect(places()).toEqual(before);
});

test("what is unpacked has been moved with its instance", () => {
  select(["2", "3"]);
  packSelected();
  const opened = saved() as { nodes: { id: number; type: string; pos: number[] }[] };
  const instance = opened.nodes.find(({ type }) => type !== "Step");
  if (instance !== undefined) instance.pos = instance.pos.map((each) => each + 50);
  openWorkflow(opened as unknown as Json, { name: "Again" });
  select([String(instance?.id)]);
  unpackSelected();
  expect(activeTab().graph.nodes["2"]?.position).toEqual({ x: 450, y: 50 });
  expect(activeTab().graph.nodes["3"]?.position).toEqual({ x: 1250, y: 650 });
});

test("a subgraph without instances is not saved, and comes back by undo", () => {
  select(["2"]);
  packSelected();
  select([...activeTab().selected, "3"]);
  packSelected();
  expect(definitionsOf(saved())).toHaveLength(2);
  removeSelected();
  expect(definitionsOf(saved())).toEqual([]);
  undoEdit();
  expect(definitionsOf(saved())).toHaveLength(2);
});

test("what no node needed in the file stays in it", () => {
  const blank = { version: 1, inputs: [], outputs: [], links: [] };
  const inner = { ...step(1, [0, 0], null, []), type: "within" };
  const file = {
    ...(ROW as object),
    nodes: [{ ...step(9, [0, 0], null, []), type: "used" }],
    links: [],
    definitions: {
      subgraphs: [
        { id: "unused", name: "Unused", ...blank, nodes: [inner] },
        { id: "used", name: "Used", ...blank, nodes: [] },
        { id: "within", name: "Within", ...blank, nodes: [] },
      ],
    },
  } as unknown as Json;
  openWorkflow(file, { name: "File" });
  expect(definitionsOf(saved())).toEqual(["Unused", "Used", "Within"]);
  select(["9"]);
  removeSelected();
  expect(definitionsOf(saved())).toEqual(["Unused", "Within"]);
});
