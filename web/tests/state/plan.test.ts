/** The plan of a run in words, and the progress of a run. */
import { describe, expect, it } from "vitest";
import type { NodePlan, Plan } from "../../src/api/types";
import {
  costOf,
  leftOf,
  markOf,
  rateOf,
  settled,
  shareOf,
  stepsLeft,
  wordsOf,
} from "../../src/state/outcomes/plan";
import { bytesOf, rateWords, spanOf } from "../../src/words/format";

function planned(nodes: Record<string, [NodePlan["state"], number | null, number?]>): Plan {
  const made = Object.fromEntries(
    Object.entries(nodes).map(([id, [state, seconds, memory = null]]) => [
      id,
      { state, seconds, memory },
    ]),
  );
  const run = Object.values(made).filter((each) => each.state === "run");
  const known = run.flatMap((each) => (each.seconds === null ? [] : [each.seconds]));
  return {
    nodes: made,
    run: run.length,
    cached: Object.values(made).filter((each) => each.state === "cached").length,
    seconds: known.length === 0 ? null : known.reduce((sum, each) => sum + each, 0),
    memory: null,
    unknown: run.length - known.length,
  };
}

describe("a plan in words", () => {
  it("counts what runs and what is cached, and leaves out what nobody needs", () => {
    const plan = planned({
      "1": ["cached", 1],
      "2": ["run", 2],
      "3": ["run", 10.4],
      "4": ["unneeded", null],
    });
    expect(wordsOf({ ...plan, memory: 2.1e9 })).toEqual([
      "2 of 3 nodes will run, 1 cached",
      "about 12 s",
      "2.1 GB",
    ]);
  });

  it("says that nothing is known, and invents no time", () => {
    const plan = planned({ "1": ["run", null], "2": ["run", null] });
    expect(wordsOf(plan)).toEqual(["2 nodes will run", "first run: time unknown"]);
  });

  it("says that it takes longer than what is known of it", () => {
    const plan = planned({ "1": ["run", 3], "2": ["run", null] });
    expect(wordsOf(plan)).toEqual(["2 nodes will run", "more than 3.0 s"]);
  });

  it("says when there is nothing to do", () => {
    expect(wordsOf(planned({ "1": ["cached", 1], "2": ["cached", 1] }))).toEqual([
      "Nothing has changed: all 2 nodes are cached",
    ]);
  });

  it("marks a subgraph by what is inside", () => {
    const plan = planned({ "5:1": ["cached", 1, 3], "5:2": ["run", 2, 7], "51": ["unneeded", 9] });
    expect(markOf(plan, "5")).toBe("run");
    expect(costOf(plan, "5")).toEqual({ seconds: 3, memory: 7 });
    expect(markOf(plan, "6")).toBeNull();
  });
});

describe("how far a run is", () => {
  const plan = planned({ a: ["run", 1], b: ["run", 9], c: ["cached", 100] });

  it("weighs nodes by what they cost", () => {
    expect(shareOf(plan, { a: 1 })).toBeCloseTo(0.1);
    expect(shareOf(plan, { a: 1, b: 0.5 })).toBeCloseTo(0.55);
    expect(shareOf(plan, { a: 1, b: 1 })).toBe(1);
  });

  it("counts a node without a past like one in the middle", () => {
    const mixed = planned({ a: ["run", 4], b: ["run", null] });
    expect(shareOf(mixed, { a: 1 })).toBeCloseTo(0.5);
  });

  it("adds up what is left, the node at work by its own steps", () => {
    expect(leftOf(plan, {})).toBe(10);
    expect(leftOf(plan, { a: 1, b: 1 / 3 })).toBeCloseTo(6);
    expect(leftOf(plan, { a: 1, b: 1 / 3 }, { b: 20 })).toBe(20);
  });

  it("leaves out what others have made since", () => {
    const now = settled(plan, ["a"]);
    expect(leftOf(now, {})).toBe(9);
    expect(shareOf(now, { b: 0.5 })).toBe(0.5);
  });

  it("knows no rest where a node to come is unknown", () => {
    expect(leftOf(planned({ a: ["run", 1], b: ["run", null] }), {})).toBeNull();
  });
});

describe("steps", () => {
  const steps = { value: 5, max: 20, firstAt: 10_000, firstValue: 1, at: 12_000 };

  it("are counted from the first one, since loading came before it", () => {
    expect(rateOf(steps)).toBe(2);
    expect(stepsLeft(steps)).toBe(7.5);
  });

  it("have no rate before the second one", () => {
    expect(rateOf({ ...steps, value: 1 })).toBeNull();
    expect(rateOf({ ...steps, firstAt: null })).toBeNull();
  });

  it("are told the way that reads best", () => {
    expect([rateWords(3.24), rateWords(42.4), rateWords(0.25)]).toEqual([
      "3.2 it/s",
      "42 it/s",
      "4.0 s/it",
    ]);
  });
});

it("writes times and bytes no more exactly than anyone reads", () => {
  expect([0.0004, 0.25, 4.26, 47.6, 119.6, 7300].map(spanOf)).toEqual([
    "1 ms",
    "250 ms",
    "4.3 s",
    "48 s",
    "2 min",
    "2 h 2 min",
  ]);
  expect([4200, 4.2e6, 2.14e9].map(bytesOf)).toEqual(["4 kB", "4 MB", "2.1 GB"]);
});
