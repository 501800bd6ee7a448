/** A node whose choices are typed into it. */

import { beforeEach, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { writeGraph } from "../../src/document/write";
import { changeValueAt, placeNode } from "../../src/state/editing/actions";
import { inputsOf } from "../../src/state/nodes/inputs";
import { activeEditor } from "../../src/state/session/editor";
import {
  activeTab,
  openWorkflow,
  schemaOf,
  undoEdit,
  useStudio,
} from "../../src/state/session/studio";

const catalog = readCatalog({
  CustomCombo: {
    input: {
      required: { choice: [[], {}] },
      optional: { index: ["INT", { default: 0, place_of: "choice" }] },
    },
    output: ["STRING", "INT"],
  },
});

beforeEach(() => useStudio.setState({ catalog }));

function only() {
  const { graph } = activeTab();
  const node = graph.nodes[graph.order[0] ?? ""];
  const schema = schemaOf("CustomCombo");
  if (node === undefined || schema === undefined) throw new Error("there is no node");
  return { node, inputs: inputsOf(schema, node) };
}

const fields = () => only().inputs.slice(1);
const words = () => fields().map(({ name }) => only().node.values[name] ?? "");
const choices = () => only().inputs[0]?.choices;

function type(place: number, text: string): void {
  const { id, level } = activeTab();
  changeValueAt({ id, level }, only().node.key, fields()[place]?.name ?? "", text);
}

function savedValues(): unknown {
  const { nodes } = writeGraph(activeTab().workflow);
  return Array.isArray(nodes) ? (nodes[0] as { widgets_values: unknown }).widgets_values : null;
}

test("a new one has an empty field, and one more for each choice that is typed", () => {
  openWorkflow({ nodes: [], links: [] }, { name: "new" });
  const schema = schemaOf("CustomCombo");
  if (schema === undefined) throw new Error("there is no class");
  placeNode(activeEditor(), schema, { x: 0, y: 0 });
  expect(fields().map((each) => each.options.display_name)).toEqual(["option1"]);
  type(0, "fast");
  type(1, "slow");
  expect(words()).toEqual(["fast", "slow", ""]);
  expect(choices()).toEqual(["fast", "slow"]);
  // The first choice is selected; a selected one stays selected when its text is edited.
  expect(savedValues()).toEqual(["fast", 0, "fast", "slow"]);
  type(0, "faster");
  expect(savedValues()).toEqual(["faster", 0, "faster", "slow"]);
  undoEdit(activeEditor());
  undoEdit(activeEditor());
  expect(words()).toEqual(["fast", ""]);
  expect(savedValues()).toEqual(["fast", 0, "fast"]);
});

test.each([
  [
    ["b", 1, "a", "b", ""],
    ["a", "b", ""],
  ],
  // Without the index, as in older files.
  [
    ["b", "a", "b"],
    ["a", "b", ""],
  ],
  [["b"], [""]],
])("one of a file, with the values %j, shows its choices in fields", (values, shown) => {
  openWorkflow(
    { nodes: [{ id: 1, type: "CustomCombo", widgets_values: values }], links: [] },
    { name: "old" },
  );
  expect(words()).toEqual(shown);
  expect(savedValues()).toEqual(values);
  type(0, "changed");
  expect(words()[0]).toBe("changed");
  expect(choices()?.[0]).toBe("changed");
});
