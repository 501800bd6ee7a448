/** The values of a run put back into its workflow, inside subgraphs and on their instances. */
import { expect, test } from "vitest";
import { type Catalog, readCatalog } from "../../src/api/catalog";
import type { Workflow } from "../../src/document/graph";
import type { Json } from "../../src/document/json";
import { EMPTY_LOG, record } from "../../src/document/log";
import { readGraph } from "../../src/document/read";
import { catalogWith } from "../../src/state/nodes/subgraphSchema";
import { layoutOf } from "../../src/state/nodes/widgets";
import { pinValues } from "../../src/state/results/pinning";

const CATALOG: Catalog = readCatalog({
  Sample: {
    input: {
      required: {
        seed: ["INT", { default: 0, max: 100, control_after_generate: true }],
        mode: [["fast", "slow"], {}],
      },
    },
    output: ["LATENT"],
  },
});
const sample = (id: number, link: number | null) => ({
  id,
  type: "Sample",
  inputs: [{ name: "seed", type: "INT", widget: { name: "seed" }, link }],
  outputs: [{ name: "LATENT", type: "LATENT", links: [] }],
  widgets_values: [7, "randomize", "slow"],
});
const fromBorder = (target: number) => [
  { id: 1, origin_id: -10, origin_slot: 0, target_id: target, target_slot: 0, type: "INT" },
];
const port = (name: string) => [{ id: name, name, type: "INT", linkIds: [1] }];
const outer = (id: number) => ({ id, type: "outer", widgets_values: [7] });

/** `outer` has a node and an `inner`; the seed of the one in `inner` is given from the root. */
const FILE = {
  nodes: [sample(9, null), outer(1)],
  links: [],
  version: 0.4,
  definitions: {
    subgraphs: [
      {
        ...{ id: "inner", name: "Inner", version: 1, outputs: [], inputs: port("seed") },
        ...{ nodes: [sample(5, 1)], links: fromBorder(5) },
      },
      {
        ...{ id: "outer", name: "Outer", version: 1, outputs: [], inputs: port("seed_1") },
        nodes: [
          { id: 2, type: "inner", inputs: [{ name: "seed", type: "INT", link: 1 }] },
          sample(3, null),
        ],
        links: fromBorder(2),
      },
    ],
  },
};
const ran = (seed: number, mode = "slow") => ({ class_type: "Sample", inputs: { seed, mode } });

function pinned(prompt: Json, file: object = FILE): { workflow: Workflow; left: number } {
  const before = readGraph(file as Json, (type) => {
    const schema = CATALOG[type];
    return schema === undefined ? undefined : layoutOf(schema);
  });
  let left = -1;
  const recorded = record({ graph: before, log: EMPTY_LOG }, "Reproduce", (workflow) => {
    left = pinValues(workflow, prompt, catalogWith(before, CATALOG));
  });
  return { workflow: recorded.graph, left };
}

const insideOf = (workflow: Workflow, id: string, key: string) =>
  Object.values(workflow.definitions).find((each) => each.id === id)?.graph.nodes[key]?.values;

test("nodes inside subgraphs and the values of instances are those of the run", () => {
  const prompt = { "9": ran(11), "1:3": ran(12, "fast"), "1:2:5": ran(13, "fast") };
  const { workflow, left } = pinned(prompt);
  expect(left).toBe(0);
  expect(workflow.nodes["9"]?.values).toMatchObject({ seed: 11, control_after_generate: "fixed" });
  expect(workflow.nodes["1"]?.values).toMatchObject({ seed_1: 13 });
  const own = { seed: 12, mode: "fast", control_after_generate: "fixed" };
  expect(insideOf(workflow, "outer", "3")).toMatchObject(own);
  // The seed of the innermost comes over a wire: its own stays, its other values are the run's.
  const inner = { seed: 7, mode: "fast", control_after_generate: "fixed" };
  expect(insideOf(workflow, "inner", "5")).toMatchObject(inner);
});

test("each instance gets its own values, and one that they share is left where they differ", () => {
  const file = { ...FILE, nodes: [outer(1), outer(4)] };
  const prompt = {
    ...{ "1:3": ran(12), "4:3": ran(14), "1:2:5": ran(13, "fast"), "4:2:5": ran(15, "fast") },
  };
  const { workflow, left } = pinned(prompt, file);
  expect([workflow.nodes["1"], workflow.nodes["4"]].map((each) => each?.values.seed_1)).toEqual([
    13, 15,
  ]);
  expect(left).toBe(1);
  expect(insideOf(workflow, "outer", "3")).toMatchObject({ seed: 7 });
  expect(insideOf(workflow, "inner", "5")).toMatchObject({ mode: "fast" });
});

test("a run of other nodes changes no value", () => {
  const { workflow, left } = pinned({ "77": ran(1), "1:2:5": { inputs: { seed: ["9", 0] } } });
  expect(left).toBe(0);
  expect(workflow.nodes["9"]?.values.seed).toBe(7);
  expect(workflow.nodes["1"]?.values.seed_1).toBe(7);
});
