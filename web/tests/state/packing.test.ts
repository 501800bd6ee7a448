/** Making a subgraph of nodes and unpacking it: its position, and what is saved of it. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import type { NodeSchema } from "../../src/api/types";
import { type Box, overlaps } from "../../src/document/arrange";
import { type Json, parseJson, writeJson } from "../../src/document/json";
import { writeGraph } from "../../src/document/write";
import { connectWire, placeNode, removeSelected } from "../../src/state/editing/actions";
import { boxesOf } from "../../src/state/editing/boxes";
import { packSelected, unpackSelected } from "../../src/state/editing/subgraphs";
import { isWidget } from "../../src/state/nodes/widgets";
import { activeEditor } from "../../src/state/session/editor";
import {
  activeTab,
  openWorkflow,
  schemaOf,
  select,
  setCatalog,
  undoEdit,
} from "../../src/state/session/studio";
import { builtinCatalog } from "../builtinCatalog";

const SEVEN_NODES = resolve(import.meta.dirname, "../workflows/seven_nodes.json");

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
  select(activeEditor(), ["2", "3"]);
  packSelected(activeEditor());
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
  unpackSelected(activeEditor());
  expect(places()).toEqual(before);
});

test("what is unpacked has been moved with its instance", () => {
  select(activeEditor(), ["2", "3"]);
  packSelected(activeEditor());
  const opened = saved() as { nodes: { id: number; type: string; pos: number[] }[] };
  const instance = opened.nodes.find(({ type }) => type !== "Step");
  if (instance !== undefined) instance.pos = instance.pos.map((each) => each + 50);
  openWorkflow(opened as unknown as Json, { name: "Again" });
  select(activeEditor(), [String(instance?.id)]);
  unpackSelected(activeEditor());
  expect(activeTab().graph.nodes["2"]?.position).toEqual({ x: 450, y: 50 });
  expect(activeTab().graph.nodes["3"]?.position).toEqual({ x: 1250, y: 650 });
});

test("a subgraph without instances is not saved, and comes back by undo", () => {
  select(activeEditor(), ["2"]);
  packSelected(activeEditor());
  select(activeEditor(), [...activeTab().selected, "3"]);
  packSelected(activeEditor());
  expect(definitionsOf(saved())).toHaveLength(2);
  removeSelected(activeEditor());
  expect(definitionsOf(saved())).toEqual([]);
  undoEdit(activeEditor());
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
  select(activeEditor(), ["9"]);
  removeSelected(activeEditor());
  expect(definitionsOf(saved())).toEqual(["Unused", "Within"]);
});

/** The tests' first workflow, with everything but the model's loader and the picture in a subgraph. */
function packFirst(): { instance: string; inputs: NodeSchema["inputs"] } {
  setCatalog(builtinCatalog());
  openWorkflow(parseJson(readFileSync(SEVEN_NODES, "utf8")), { name: "First" });
  const { graph } = activeTab();
  const inside = graph.order.filter(
    (key) => !/^(CheckpointLoaderSimple|SaveImage)$/.test(graph.nodes[key]?.type ?? ""),
  );
  select(activeEditor(), inside);
  packSelected(activeEditor());
  const [instance = ""] = activeTab().selected;
  const type = activeTab().graph.nodes[instance]?.type ?? "";
  return { instance, inputs: (schemaOf(type)?.inputs ?? []).filter(isWidget) };
}

test("a new subgraph shows the fields that users change most, prompts by their titles", () => {
  const { inputs } = packFirst();
  expect(inputs.map(({ name, options }) => options.display_name ?? name)).toEqual([
    "Prompt",
    "Negative prompt",
    "width",
    "height",
    "seed",
    "steps",
    "cfg",
  ]);
  expect(inputs.map(({ options }) => options.initialValue)).toEqual([
    "a sailing boat on the sea at sunset",
    "",
    128,
    128,
    7,
    24,
    4,
  ]);
  undoEdit(activeEditor());
  expect(Object.keys(activeTab().workflow.definitions)).toEqual([]);
});

test("they are saved in the form of other editors: inputs of the subgraph that feed widgets", () => {
  const { instance } = packFirst();
  const file = saved() as unknown as {
    nodes: { id: number; inputs: { name: string; widget?: { name: string } }[] }[];
    definitions: {
      subgraphs: { inputs: { name: string; type: string; linkIds: number[] }[]; links: object[] }[];
    };
  };
  const [subgraph] = file.definitions.subgraphs;
  expect(subgraph?.inputs.map(({ name, type }) => `${name} ${type}`)).toEqual([
    "clip CLIP",
    "model MODEL",
    "vae VAE",
    "text STRING",
    "text_1 STRING",
    "width INT",
    "height INT",
    "seed INT",
    "steps INT",
    "cfg FLOAT",
  ]);
  expect(subgraph?.inputs.slice(3).every(({ linkIds }) => linkIds.length === 1)).toBe(true);
  const made = file.nodes.find(({ id }) => String(id) === instance);
  expect(made?.inputs.slice(0, 3).map(({ name }) => name)).toEqual(["clip", "model", "vae"]);
  // What was saved opens with the same fields.
  const before = activeTab().graph.nodes[instance]?.type ?? "";
  openWorkflow(saved(), { name: "Again" });
  const again = activeTab().graph.nodes[instance]?.type ?? "";
  expect(schemaOf(again)?.inputs).toEqual(schemaOf(before)?.inputs);
});

test("a field that a wire supplies is not shown, and no more than a dozen are", () => {
  setCatalog(builtinCatalog());
  openWorkflow({ nodes: [], links: [], version: 0.4 }, { name: "Many" });
  const sampler = schemaOf("KSampler");
  const number = schemaOf("PrimitiveInt");
  if (sampler === undefined || number === undefined) throw new Error("There are no such nodes.");
  const keys = Array.from({ length: 6 }, (_, at) =>
    placeNode(activeEditor(), sampler, { x: at * 400, y: 0 }),
  );
  const [first = ""] = keys;
  const supply = placeNode(activeEditor(), number, { x: -400, y: 0 });
  connectWire(activeEditor(), { from: supply, slot: 0, to: first, input: "steps" });
  select(activeEditor(), keys);
  packSelected(activeEditor());
  const type = activeTab().graph.nodes[activeTab().selected[0] ?? ""]?.type ?? "";
  const widgets = (schemaOf(type)?.inputs ?? []).filter(isWidget);
  const names = widgets.map(({ name }) => name.replace(/_\d+$/, ""));
  expect(names.filter((each) => each === "seed").length).toBe(6);
  // Five more steps, and the one that comes in from outside by its wire.
  expect(widgets.length).toBe(13);
});
