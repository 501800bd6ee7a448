/** Snapping of a dragged box. */
import { expect, test } from "vitest";
import { snapped } from "../../src/document/snap";

const neighbour = { x: 100, y: 300, width: 200, height: 80 };
const to = { neighbours: [neighbour], reach: 5, grid: 8 };

test("a box clicks into its neighbour's edge, else into the grid", () => {
  const { by, guides } = snapped({ x: 103, y: 13, width: 50, height: 50 }, to);
  expect(by).toEqual({ x: -3, y: 3 });
  expect(guides).toEqual([{ axis: "x", at: 100, from: 16, to: 380 }]);
});

test("right edges and middles count, too", () => {
  expect(snapped({ x: 248, y: 0, width: 50, height: 50 }, to).by.x).toBe(2);
  expect(snapped({ x: 176, y: 0, width: 50, height: 50 }, to).by.x).toBe(-1);
  const { by, guides } = snapped({ x: 500, y: 318, width: 40, height: 40 }, to);
  expect(by.y).toBe(2);
  expect(guides.map((each) => each.axis)).toEqual(["y"]);
});

test("without grid and lines nothing moves", () => {
  const free = { neighbours: [], reach: 0, grid: null };
  expect(snapped({ x: 103, y: 13, width: 50, height: 50 }, free)).toEqual({
    by: { x: 0, y: 0 },
    guides: [],
  });
});

test("the nearest line wins", () => {
  const other = { x: 104, y: 600, width: 10, height: 10 };
  const both = { ...to, neighbours: [neighbour, other] };
  expect(snapped({ x: 103, y: 0, width: 50, height: 50 }, both).by.x).toBe(1);
});
