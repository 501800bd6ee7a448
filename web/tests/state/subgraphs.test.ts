/** A subgraph as a class of nodes, whose widgets are those of its inner nodes. */
import { describe, expect, test } from "vitest";
import type { Catalog } from "../../src/api/catalog";
import { readCatalog } from "../../src/api/catalog";
import { setValue } from "../../src/document/edit";
import type { Workflow } from "../../src/document/graph";
import { type Json, parseJson } from "../../src/document/json";
import { allNodes } from "../../src/document/levels";
import { EMPTY_LOG, record } from "../../src/document/log";
import { addPort } from "../../src/document/ports";
import { readGraph } from "../../src/document/read";
import { writeGraph } from "../../src/document/write";
import { shapeOf } from "../../src/state/nodes/shape";
import { catalogWith } from "../../src/state/nodes/subgraphSchema";
import { fallbackValue, layoutOf } from "../../src/state/nodes/widgets";

const CATALOG: Catalog = readCatalog({
  KSampler: {
    input: {
      required: {
        model: ["MODEL"],
        seed: ["INT", { default: 0, min: 0, max: 100, control_after_generate: true }],
        mode: [["fast", "slow"], {}],
      },
    },
    output: ["LATENT"],
    output_name: ["LATENT"],
  },
});

/** The seed is promoted through an input, in a nested subgraph. */
const FILE: Json = {
  nodes: [{ id: 1, type: "outer", inputs: [], outputs: [], widgets_values: [] }],
  links: [],
  version: 0.4,
  definitions: {
    subgraphs: [
      {
        id: "inner",
        version: 1,
        name: "Inner",
        inputs: [
          { id: "a", name: "seed", type: "INT", linkIds: [1], label: "the seed" },
          { id: "b", name: "model", type: "MODEL", linkIds: [2] },
        ],
        outputs: [{ id: "c", name: "LATENT", type: "LATENT", linkIds: [3] }],
        nodes: [
          {
            id: 5,
            type: "KSampler",
            inputs: [
              { name: "model", type: "MODEL", link: 2 },
              { name: "seed", type: "INT", widget: { name: "seed" }, link: 1 },
            ],
            outputs: [{ name: "LATENT", type: "LATENT", links: [3] }],
            widgets_values: [7, "randomize", "slow"],
          },
        ],
        links: [
          { id: 1, origin_id: -10, origin_slot: 0, target_id: 5, target_slot: 1, type: "INT" },
          { id: 2, origin_id: -10, origin_slot: 1, target_id: 5, target_slot: 0, type: "MODEL" },
          { id: 3, origin_id: 5, origin_slot: 0, target_id: -20, target_slot: 0, type: "LATENT" },
        ],
      },
      {
        id: "outer",
        version: 1,
        name: "Outer",
        inputs: [{ id: "d", name: "seed_1", type: "INT", linkIds: [1] }],
        outputs: [],
        nodes: [
          {
            id: 2,
            type: "inner",
            inputs: [{ name: "seed", type: "INT", link: 1 }],
            outputs: [{ name: "LATENT", type: "LATENT", links: [] }],
            widgets_values: [null],
          },
        ],
        links: [
          { id: 1, origin_id: -10, origin_slot: 0, target_id: 2, target_slot: 0, type: "INT" },
        ],
      },
    ],
  },
};
const layout = (type: string) => {
  const schema = CATALOG[type];
  return schema === undefined ? undefined : layoutOf(schema);
};
const open = (file: Json = FILE): Workflow => readGraph(file, layout);

describe("a subgraph as a class of nodes", () => {
  test("has the widgets of its inside, under its own names, however deep they lie", () => {
    const workflow = open();
    const { outer, inner } = catalogWith(workflow, CATALOG);
    expect(inner?.inputs.map((each) => [each.name, each.type])).toEqual([
      ["seed", "INT"],
      ["model", "MODEL"],
    ]);
    const [seed] = outer?.inputs ?? [];
    expect(seed).toMatchObject({ name: "seed_1", type: "INT" });
    expect(seed?.options).toMatchObject({ max: 100, display_name: "seed_1" });
    expect(seed && fallbackValue(seed)).toBe(7);
    const node = workflow.nodes["1"];
    expect(node && shapeOf(node, outer, false).widgets.map((each) => each.control)).toEqual([null]);
  });

  test("stays the same object until it looks otherwise", () => {
    const before = open();
    const catalog = catalogWith(before, CATALOG);
    const change = (edit: (workflow: Workflow) => void) =>
      catalogWith(record({ graph: before, log: EMPTY_LOG }, "edit", edit).graph, CATALOG);
    expect(change((workflow) => setValue(workflow, "1", "seed_1", 9))).toBe(catalog);
    const named = change((workflow) => {
      const definition = workflow.definitions.outer;
      if (definition) addPort(workflow, definition, "inputs", { name: "more", type: "IMAGE" });
    });
    expect(named).not.toBe(catalog);
    expect(named.inner).toBe(catalog.inner);
    expect(catalogWith(before, catalog)).toBe(catalog);
  });

  test("shows what an instance holds for a class that is not installed", () => {
    const file = parseJson(
      JSON.stringify(FILE)
        .replaceAll("KSampler", "Foreign")
        .replace('"widgets_values":[null]', '"widgets_values":[5]'),
    );
    const { inner } = catalogWith(open(file), CATALOG);
    expect(inner?.inputs[0]).toMatchObject({ name: "seed", type: "INT" });
    expect(inner?.inputs[1]).toMatchObject({ name: "model", options: { forceInput: true } });
  });

  test("of another document is not seen", () => {
    const with_ = catalogWith(open(), CATALOG);
    const without = open({ nodes: [], links: [] });
    expect(Object.keys(catalogWith(without, with_))).toEqual(["KSampler"]);
  });
});

describe("files that mean harm", () => {
  const hostile = parseJson(`{
    "nodes": [
      { "id": 1, "type": "constructor", "widgets_values": [1] },
      { "id": 2, "type": "toString" },
      { "id": 3, "type": "__proto__" },
      { "id": 4, "type": "self" }
    ],
    "links": [],
    "definitions": { "subgraphs": [
      { "id": "__proto__", "name": "x", "nodes": [] },
      { "id": "toString", "nodes": "none" },
      { "id": "self", "name": "Self", "nodes": [{ "id": 4, "type": "self" }], "links": [],
        "inputs": [{ "id": "p", "name": "p", "type": "INT" }] },
      { "id": "self", "name": "again", "nodes": [] },
      7
    ] }
  }`);

  test("are read and written as they are, and nothing of them runs away", () => {
    const workflow = open(hostile);
    expect(Object.keys(workflow.definitions)).toEqual(["self"]);
    expect(writeGraph(workflow)).toEqual(hostile);
    const catalog = catalogWith(workflow, CATALOG);
    expect(Object.keys(catalog).sort()).toEqual(["KSampler", "self"]);
    expect(catalog.constructor).toBeUndefined();
    expect(allNodes(workflow).map((each) => each.id)).toEqual(["1", "2", "3", "4", "4:4"]);
  });
});
