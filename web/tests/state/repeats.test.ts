/** Runs that made the same file are one tile in the lists of results. */
import { expect, test } from "vitest";
import type { ListedJob } from "../../src/api/results";
import { withoutRepeats } from "../../src/state/outcomes/jobs";
import { picturesOf } from "../../src/state/results/stage";

const job = (
  id: string,
  filename?: string,
  status: ListedJob["status"] = "completed",
): ListedJob => ({
  id,
  status,
  ...(filename === undefined
    ? {}
    : { preview_output: { filename, subfolder: "", type: "output" } }),
});

test("the newest of several runs with the same file is kept, and every run without one", () => {
  const past = [job("4", "a.png"), job("3"), job("2", "b.png"), job("1", "a.png"), job("0")];
  expect(withoutRepeats(past).map(({ id }) => id)).toEqual(["4", "3", "2", "0"]);
});

test("the stage shows finished pictures only", () => {
  const past = [job("3", "a.png", "failed"), job("2", "b.mp4"), job("1"), job("0", "c.webp")];
  expect(picturesOf(past).map(({ id }) => id)).toEqual(["0"]);
});
