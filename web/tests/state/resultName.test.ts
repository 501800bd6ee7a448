/** Names of tabs that show the workflow of a result. */
import { expect, test } from "vitest";
import { nameOfResult } from "../../src/state/results/resultName";

test.each([
  ["a sailing boat on the sea at sunset", "7", "Sailing boat, seed 7"],
  ["(masterpiece:1.2), best quality", "12", "Masterpiece, seed 12"],
  ["portrait of an old fisherman, 35mm", null, "Portrait of an old"],
  ["\n  the moon", "3", "Moon, seed 3"],
])("%s with seed %s is %s", (positive, seed, name) => {
  expect(nameOfResult({ positive, seed })).toBe(name);
});

test("without a prompt there is no name", () => {
  expect(nameOfResult({ positive: null, seed: "7" })).toBeNull();
  expect(nameOfResult({ positive: " , ", seed: "7" })).toBeNull();
});
