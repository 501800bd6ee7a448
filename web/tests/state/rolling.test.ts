/** What a run will find is foreseen with the seeds it will roll, and the document stays as it is. */
import { beforeAll, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { readGraph } from "../../src/document/read";
import { asWillRun } from "../../src/state/fields/rolling";
import { workflowOfPrompt } from "../../src/state/files/prompt";
import { layout, useStudio } from "../../src/state/studio";

beforeAll(() => {
  useStudio.setState({
    catalog: readCatalog({
      Sample: {
        input: {
          required: { seed: ["INT", { min: 0, max: 9, control_after_generate: true }] },
        },
        output: ["LATENT"],
        display_name: "Sample",
      },
    }),
  });
});

function sampling(control: string) {
  const prompt = { "1": { class_type: "Sample", inputs: { seed: 4 } } };
  const workflow = readGraph(workflowOfPrompt(prompt), layout);
  const node = Object.values(workflow.nodes)[0];
  if (node === undefined) throw new Error("there is no node");
  node.values.control_after_generate = control;
  return { workflow, node };
}

test("a seed that changes by itself is another one in the run to come", () => {
  const { workflow, node } = sampling("increment");
  expect(asWillRun(workflow).nodes[node.key]?.values.seed).toBe(5);
  expect(workflow.nodes[node.key]?.values.seed).toBe(4);
});

test("a document whose seeds stay is the very same", () => {
  const { workflow } = sampling("fixed");
  expect(asWillRun(workflow)).toBe(workflow);
});
