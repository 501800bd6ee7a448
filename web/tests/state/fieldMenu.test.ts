/** The entries of a field's menu inside a subgraph. */

import { beforeEach, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { packSelected } from "../../src/state/editing/subgraphs";
import { menuOf } from "../../src/state/fields/fieldActions";
import { activeEditor } from "../../src/state/session/editor";
import {
  activeTab,
  openWorkflow,
  schemaOf,
  select,
  showLevel,
  useStudio,
} from "../../src/state/session/studio";

beforeEach(() => {
  useStudio.setState({
    catalog: readCatalog({
      Steps: { input: { required: { steps: ["INT", { default: 20 }] } }, output: ["INT"] },
    }),
  });
  openWorkflow(
    { nodes: [{ id: 1, type: "Steps", widgets_values: [12] }], links: [] },
    { name: "steps" },
  );
});

function marks(node: string): string[] {
  const [input] = schemaOf(activeTab().graph.nodes[node]?.type ?? "")?.inputs ?? [];
  return input === undefined ? [] : menuOf(activeEditor(), node, input).map((each) => each.mark);
}

function act(node: string, mark: string): void {
  const [input] = schemaOf(activeTab().graph.nodes[node]?.type ?? "")?.inputs ?? [];
  if (input === undefined) throw new Error("there is no field");
  menuOf(activeEditor(), node, input)
    .find((each) => each.mark === mark)
    ?.run();
}

test("a field is shown on the subgraph, and no longer, from where one sees it", async () => {
  expect(marks("1")).not.toContain("show");
  select(activeEditor(), ["1"]);
  packSelected(activeEditor());
  const [instance = ""] = activeTab().selected;
  const shown = () => schemaOf(activeTab().workflow.nodes[instance]?.type ?? "")?.inputs ?? [];
  // A field that users change most is shown at once.
  expect(shown().map((each) => each.name)).toEqual(["steps"]);
  showLevel(activeEditor(), [instance]);
  const { nodes } = activeTab().graph;
  const inside = Object.values(nodes).find((each) => each.type === "Steps")?.key ?? "";
  expect(marks(inside)).toContain("hide");
  act(inside, "hide");
  await expect.poll(shown).toEqual([]);
  act(inside, "show");
  await expect.poll(() => shown().map((each) => each.name)).toEqual(["steps"]);
  expect(activeTab().graph.nodes[inside]?.values.steps).toBe(12);
});
