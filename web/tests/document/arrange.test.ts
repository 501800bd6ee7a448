/** Lasso, alignment, spacing and stacking: geometry only. */
import { describe, expect, test } from "vitest";
import {
  align,
  type Box,
  type Boxes,
  connected,
  distribute,
  inverted,
  nodesWithin,
  overlaps,
} from "../../src/document/arrange";
import { connect } from "../../src/document/edit";
import { emptyGraph, type Graph } from "../../src/document/graph";
import { readGraph } from "../../src/document/read";
import { withoutOverlap } from "../../src/document/straighten";

const boxes: Boxes = new Map<string, Box>([
  ["a", { x: 0, y: 0, width: 100, height: 50 }],
  ["b", { x: 150, y: 20, width: 60, height: 90 }],
  ["c", { x: 400, y: 210, width: 40, height: 40 }],
]);

describe("what an outline touches", () => {
  const rectangle = (x: number, y: number, width: number, height: number) => [
    { x, y },
    { x: x + width, y },
    { x: x + width, y: y + height },
    { x, y: y + height },
  ];

  test.each([
    ["around a corner", rectangle(-10, -10, 20, 20), ["a"]],
    ["within a box", rectangle(10, 10, 5, 5), ["a"]],
    ["through boxes", rectangle(-10, 30, 500, 2), ["a", "b"]],
    ["around all", rectangle(-10, -10, 900, 900), ["a", "b", "c"]],
    ["between them", rectangle(110, 0, 30, 300), []],
  ])("%s", (_name, outline, keys) => {
    expect(nodesWithin(boxes, outline)).toEqual(keys);
  });

  test("a lasso leaves out what its bay leaves out", () => {
    const bay = [
      { x: -20, y: -20 },
      { x: 460, y: -20 },
      { x: 460, y: 300 },
      { x: 380, y: 300 },
      { x: 380, y: -5 },
      { x: 120, y: -5 },
      { x: 120, y: 300 },
      { x: -20, y: 300 },
    ];
    expect(nodesWithin(boxes, bay)).toEqual(["a", "c"]);
  });
});

describe("lining up", () => {
  test.each([
    ["left", { b: { x: 0, y: 20 }, c: { x: 0, y: 210 } }],
    ["right", { a: { x: 340, y: 0 }, b: { x: 380, y: 20 } }],
    ["top", { b: { x: 150, y: 0 }, c: { x: 400, y: 0 } }],
    ["bottom", { a: { x: 0, y: 200 }, b: { x: 150, y: 160 } }],
    ["centre", { a: { x: 170, y: 0 }, b: { x: 190, y: 20 }, c: { x: 200, y: 210 } }],
    ["middle", { a: { x: 0, y: 100 }, b: { x: 150, y: 80 }, c: { x: 400, y: 105 } }],
  ] as const)("%s", (side, corners) => {
    expect(align(boxes, side)).toEqual(corners);
  });

  test("what is fixed stays, and the others line up with it", () => {
    expect(align(boxes, "left", new Set(["b"]))).toEqual({
      a: { x: 150, y: 0 },
      c: { x: 150, y: 210 },
    });
  });

  test("even gaps between the outermost", () => {
    expect(distribute(boxes, "x")).toEqual({ b: { x: 220, y: 20 } });
    expect(distribute(boxes, "y")).toEqual({ b: { x: 150, y: 85 } });
  });

  test("boxes on top of each other follow each other", () => {
    const heap: Boxes = new Map([
      ["a", { x: 0, y: 0, width: 100, height: 50 }],
      ["b", { x: 10, y: 0, width: 100, height: 50 }],
      ["c", { x: 20, y: 0, width: 100, height: 50 }],
    ]);
    const corners = distribute(heap, "x");
    const row = [...heap].map(([key, box]) => ({ ...box, ...corners[key] }));
    expect(row.map((each) => each.x)).toEqual([0, 124, 248]);
    expect(row.some((one) => row.some((other) => one !== other && overlaps(one, other)))).toBe(
      false,
    );
  });

  test("two boxes have no gaps to make even", () => {
    expect(distribute(new Map([...boxes].slice(0, 2)), "x")).toEqual({});
  });
});

test("places that may not overlap are as near as can be to those wanted", () => {
  expect(withoutOverlap([10, 10, 10], [0, 100, 200], 5)).toEqual([0, 100, 200]);
  expect(withoutOverlap([10, 10], [50, 50], 10)).toEqual([40, 60]);
  expect(withoutOverlap([10, 10, 10], [30, 20, 10], 0)).toEqual([10, 20, 30]);
});

/** a -> b -> c, and d -> c; e has no links. */
function chain(): Graph {
  const node = (id: number) => ({
    id,
    type: "T",
    outputs: [{ name: "o", type: "X", links: [] }],
    inputs: [],
  });
  const graph = readGraph({ nodes: [1, 2, 3, 4, 5].map(node), links: [] }, () => undefined);
  const join = (from: string, to: string, name: string) =>
    connect(graph, { node: from, slot: 0 }, { node: to, name, type: "X", isWidget: false }, "X");
  join("1", "2", "i");
  join("2", "3", "i");
  join("4", "3", "j");
  return graph;
}

test("what feeds a node, what it feeds, and the rest", () => {
  const graph = chain();
  expect(connected(graph, ["2"], "upstream")).toEqual(["1", "2"]);
  expect(connected(graph, ["2"], "downstream")).toEqual(["2", "3"]);
  expect(connected(graph, ["1"], "both")).toEqual(["1", "2", "3", "4"]);
  expect(inverted(graph, ["2", "5"])).toEqual(["1", "3", "4"]);
  expect(connected(emptyGraph(), [], "both")).toEqual([]);
});
