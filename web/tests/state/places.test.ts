/** A late response applies to the document it was requested for, whether it is shown or not. */

import { beforeEach, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { changeValueAt } from "../../src/state/editing/actions";
import { rollSeeds } from "../../src/state/fields/rolling";
import { activeEditor } from "../../src/state/session/editor";
import {
  activeTab,
  closeTab,
  openWorkflow,
  tabOf,
  undoEdit,
  useStudio,
} from "../../src/state/session/studio";

beforeEach(() => {
  const seed = ["INT", { default: 0, min: 0, max: 99, control_after_generate: true }];
  useStudio.setState({
    catalog: readCatalog({ Noise: { input: { required: { seed } }, output: ["NOISE"] } }),
  });
});

const open = (values: unknown[]) =>
  openWorkflow(
    { nodes: [{ id: 1, type: "Noise", widgets_values: values as never }], links: [] },
    { name: "noise" },
  );

const seedOf = (tab: string) => tabOf(tab)?.graph.nodes["1"]?.values.seed;

test("a value that was asked for in another document is set there, and undone there", () => {
  const first = open([1, "fixed"]);
  const place = activeTab();
  const second = open([2, "fixed"]);
  changeValueAt(place, "1", "seed", 42);
  expect([seedOf(first), seedOf(second)]).toEqual([42, 2]);
  expect(activeTab().id).toBe(second);
  undoEdit(activeEditor());
  expect([seedOf(first), seedOf(second)]).toEqual([42, 2]);
});

test("seeds are rolled in the document that is run", () => {
  const first = tabOf(open([1, "increment"]));
  const second = open([2, "increment"]);
  rollSeeds(activeEditor(), first);
  expect([seedOf(first?.id ?? ""), seedOf(second)]).toEqual([2, 2]);
});

test("for a document that was closed there is nothing to do", () => {
  const first = open([1, "fixed"]);
  const place = activeTab();
  const second = open([2, "fixed"]);
  closeTab(first);
  changeValueAt(place, "1", "seed", 42);
  expect(seedOf(second)).toBe(2);
});
