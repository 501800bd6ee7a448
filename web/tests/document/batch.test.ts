/** The runs of a batch, and parsing the values of its axes. */
import { describe, expect, test } from "vitest";
import {
  countRuns,
  expand,
  InvalidValuesError,
  readValues,
  seedsFrom,
  stepsBetween,
} from "../../src/document/batch";

describe("a batch", () => {
  test("is every combination, the first axis fastest", () => {
    const axes = [
      { node: "3", name: "cfg", values: [4, 5, 6] },
      { node: "3", name: "sampler_name", values: ["euler", "heun"] },
    ];
    const runs = expand(axes);
    expect(countRuns(axes)).toBe(6);
    expect(runs.map(({ at }) => at.join())).toEqual(["0,0", "1,0", "2,0", "0,1", "1,1", "2,1"]);
    expect(runs[4]?.values).toEqual([
      { node: "3", name: "cfg", value: 5 },
      { node: "3", name: "sampler_name", value: "heun" },
    ]);
  });

  test("of nothing is one run as it stands; of an empty axis none", () => {
    expect(expand([])).toEqual([{ at: [], values: [] }]);
    expect(expand([{ node: "1", name: "a", values: [] }])).toEqual([]);
    expect(countRuns([{ node: "1", name: "a", values: [] }])).toBe(0);
  });
});

describe("values", () => {
  test.each([
    [4, 9, 1, [4, 5, 6, 7, 8, 9]],
    [0, 0.3, 0.1, [0, 0.1, 0.2, 0.3]],
    [1, 0, 0.5, [1, 0.5, 0]],
    [0, 1, 0.4, [0, 0.4, 0.8]],
    [3, 3, 1, [3]],
    [0, 0.0000002, 1e-7, [0, 0.0000001, 0.0000002]],
  ])("from %d to %d by %d are exact", (from, to, step, expected) => {
    expect(stepsBetween(from, to, step)).toEqual(expected);
  });

  test("are read as they are typed", () => {
    expect(readValues("4..6, 9", "whole")).toEqual([4, 5, 6, 9]);
    expect(readValues("4..5 step 0.5; 7.25", "number")).toEqual([4, 4.5, 5, 7.25]);
    expect(readValues("18446744073709551615", "whole")).toEqual([18446744073709551615n]);
    expect(readValues("a cat, a hat\n\na dog\n", "text")).toEqual(["a cat, a hat", "a dog"]);
    expect(readValues("yes, off", "yes")).toEqual([true, false]);
    expect(readValues(" ", "number")).toEqual([]);
  });

  test("that are none say so", () => {
    expect(() => readValues("4, x", "number")).toThrow(InvalidValuesError);
    expect(() => readValues("4.5", "whole")).toThrow("4.5 is not a whole number.");
    expect(() => readValues("1..9 step 0", "whole")).toThrow(InvalidValuesError);
    expect(() => readValues("1..99999", "whole")).toThrow(InvalidValuesError);
    expect(() => readValues("maybe", "yes")).toThrow(InvalidValuesError);
  });
});

test("seeds follow one another past 64 bits, or are drawn, none twice", () => {
  expect(seedsFrom(3, "increment", 2n ** 64n - 2n, () => 0n)).toEqual([
    2n ** 64n - 2n,
    2n ** 64n - 1n,
    0n,
  ]);
  const draws = [5n, 5n, 7n, 5n, 9n];
  expect(seedsFrom(3, "random", 0n, () => draws.shift() ?? 0n)).toEqual([5n, 7n, 9n]);
});
