/** A run is planned with the seeds it will use, and the document does not change. */

import { beforeAll, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { moveNodes, removeNodes } from "../../src/document/edit";
import { readGraph } from "../../src/document/read";
import { writeGraph } from "../../src/document/write";
import { workflowOfPrompt } from "../../src/state/embedded/prompt";
import { canRoll, rollSeeds, rolls, workflowToRun } from "../../src/state/fields/rolling";
import { activeEditor } from "../../src/state/session/editor";
import {
  activeTab,
  edit,
  layout,
  openWorkflow,
  redoEdit,
  undoEdit,
  useStudio,
} from "../../src/state/session/studio";

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
  expect(workflowToRun(workflow).nodes[node.key]?.values.seed).toBe(5);
  expect(workflow.nodes[node.key]?.values.seed).toBe(4);
});

test("a document whose seeds stay is the very same", () => {
  const { workflow } = sampling("fixed");
  expect(workflowToRun(workflow)).toBe(workflow);
});

test("what was undone before a run can be redone after it, where it is not about the seed", () => {
  const { workflow, node } = sampling("increment");
  openWorkflow(writeGraph(workflow), { name: "rolled" });
  const now = () => activeTab().graph.nodes[node.key];
  const move = (x: number) =>
    edit(activeEditor(), "Move", (draft) => moveNodes(draft, { [node.key]: { x, y: 0 } }));
  move(100);
  move(200);
  undoEdit(activeEditor());
  undoEdit(activeEditor());
  rollSeeds(activeEditor());
  expect(now()?.values.seed).toBe(5);
  redoEdit(activeEditor());
  redoEdit(activeEditor());
  expect(now()?.position.x).toBe(200);
  expect(now()?.values.seed).toBe(5);
  for (let step = 0; step < 3; step += 1) undoEdit(activeEditor());
  expect(now()?.values.seed).toBe(4);
  expect(now()?.position.x).not.toBe(100);

  for (let step = 0; step < 3; step += 1) redoEdit(activeEditor());
  edit(activeEditor(), "Delete", (draft) => removeNodes(draft, [node.key]));
  undoEdit(activeEditor());
  rollSeeds(activeEditor());
  expect(activeTab().log.undone).toEqual([]);
});

test("a fixed seed gets another value on request only, and stays fixed", () => {
  const { workflow, node } = sampling("fixed");
  openWorkflow(writeGraph(workflow), { name: "fixed" });
  const values = () => activeTab().workflow.nodes[node.key]?.values;
  expect([rolls(workflow), canRoll(workflow)]).toEqual([false, true]);
  rollSeeds(activeEditor());
  expect(values()?.seed).toBe(4);
  const seeds = new Set<unknown>();
  for (let time = 0; time < 40; time += 1) {
    rollSeeds(activeEditor(), activeTab(), true);
    seeds.add(values()?.seed);
  }
  expect(seeds.size).toBeGreaterThan(1);
  expect(values()?.control_after_generate).toBe("fixed");
});
