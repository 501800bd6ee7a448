/** The contents of a failure report, for any input of the node. */
import { expect, test } from "vitest";
import type { ExecutionError } from "../../src/api/types";
import { readGraph } from "../../src/document/read";
import { changedSince, inputsGiven } from "../../src/state/runs/failure";

const LARGE = 18446744073709551615n;

test("what was given is read: numbers of any size, lists and objects too", () => {
  const error = {
    current_inputs: { seed: [LARGE], marks: [[{ id: LARGE }], null], odd: "not a list" },
  } as unknown as ExecutionError;
  expect(inputsGiven(error)).toEqual([
    { name: "seed", value: "18446744073709551615" },
    { name: "marks", value: '[{"id":18446744073709551615}], null' },
    { name: "odd", value: "not a list" },
  ]);
});

test("a change in a value that holds large numbers is told; an equal one is none", () => {
  const layout = () => [{ name: "marks", kind: "value" as const, default: null }];
  const graph = (marks: unknown) =>
    readGraph(
      {
        nodes: [{ id: 1, type: "Marks", widgets_values: [marks as never] }],
        links: [],
        version: 0.4,
      },
      layout as never,
    );
  const before = graph({ seeds: [LARGE], size: 8 });
  expect(changedSince(before, graph({ size: 8, seeds: [LARGE] }))).toEqual([]);
  expect(changedSince(before, graph({ seeds: [1n], size: 8 }))).toEqual([
    {
      node: "1",
      text: expect.stringMatching(/^marks: .*18446744073709551615.* → .*"seeds":\[1\]/),
    },
  ]);
});
