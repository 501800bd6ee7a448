/** Converting a graph in API form to a document. */
import { beforeAll, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { linkInto } from "../../src/document/graph";
import { readGraph } from "../../src/document/read";
import { workflowOfPrompt } from "../../src/state/embedded/prompt";
import { layout, useStudio } from "../../src/state/session/studio";

const prompt = {
  "12:3": { class_type: "Load", inputs: { name: "a" }, _meta: { title: "Mine" } },
  sampler: {
    class_type: "Sample",
    inputs: { model: ["12:3", 1], seed: 18446744073709551615n, curve: { __value__: [1, 2] } },
  },
  z9: { class_type: "Nobody knows", inputs: { from: ["sampler", 0], text: "kept" } },
};

beforeAll(() => {
  useStudio.setState({
    catalog: readCatalog({
      Load: {
        input: { required: { name: [["a", "b"]] } },
        output: ["CLIP", "MODEL"],
        display_name: "Load",
      },
      Sample: {
        input: { required: { model: ["MODEL"], seed: ["INT"], steps: ["INT", { default: 20 }] } },
        output: ["LATENT"],
        display_name: "Sample",
      },
    }),
  });
});

test("a graph in API form becomes a document with its links, values and titles", () => {
  const graph = readGraph(workflowOfPrompt(prompt), layout);
  const [load, sample, unknown] = graph.order.map((key) => graph.nodes[key]);
  expect(load?.title).toBe("Mine");
  expect(load?.values).toEqual({ name: "a" });
  expect(sample?.values).toEqual({
    seed: 18446744073709551615n,
    control_after_generate: "fixed",
    steps: 20,
  });
  const link = sample && linkInto(graph, sample, "model");
  expect(link).toMatchObject({ from: load?.key, fromSlot: 1, type: "MODEL" });
  expect(load?.outputs[1]?.links).toEqual([link?.key]);
  expect(unknown?.values).toEqual({ "#0": "kept" });
  expect(unknown && linkInto(graph, unknown, "from")?.from).toBe(sample?.key);
});

test("nodes stand in columns, each after what feeds it", () => {
  const graph = readGraph(workflowOfPrompt(prompt), layout);
  const columns = graph.order.map((key) => graph.nodes[key]?.position.x);
  expect(columns).toEqual([0, 320, 640]);
});
