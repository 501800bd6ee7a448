/** Views that show the whole graph, and continue to when the canvas changes its size. */
import { expect, test } from "vitest";
import { fittedView, RUN_BAR, refitted } from "../../src/canvas/fitting";

const BOUNDS = { x: -100, y: 40, width: 1400, height: 900 };
const LARGE = { width: 1100, height: 690 };
const LOW = { width: 1100, height: 510 };

test.each([LARGE, LOW, { width: 500, height: 690 }])(
  "all of it lies above the run bar: %o",
  (size) => {
    const { x, y, zoom } = fittedView(BOUNDS, size);
    expect(BOUNDS.x * zoom + x).toBeGreaterThan(0);
    expect(BOUNDS.y * zoom + y).toBeGreaterThan(0);
    expect((BOUNDS.x + BOUNDS.width) * zoom + x).toBeLessThan(size.width);
    expect((BOUNDS.y + BOUNDS.height) * zoom + y).toBeLessThanOrEqual(size.height - RUN_BAR);
  },
);

test("a lone node is not blown up, and a low canvas leaves room for it", () => {
  const node = { x: 0, y: 0, width: 200, height: 100 };
  expect(fittedView(node, LARGE).zoom).toBe(1);
  expect(fittedView(node, { width: 800, height: 120 }).zoom).toBeGreaterThan(0.7);
});

test("a fitted view is fitted again when the canvas changes its size, and back", () => {
  const first = fittedView(BOUNDS, LARGE);
  const low = refitted(first, BOUNDS, LARGE, LOW);
  expect(low).toEqual(fittedView(BOUNDS, LOW));
  expect(low && refitted(low, BOUNDS, LOW, LARGE)).toEqual(first);
});

test("a view that someone moved, and one of a graph that has grown, stay where they are", () => {
  const first = fittedView(BOUNDS, LARGE);
  expect(refitted({ ...first, x: first.x + 3 }, BOUNDS, LARGE, LOW)).toBeNull();
  expect(refitted({ ...first, zoom: first.zoom * 1.1 }, BOUNDS, LARGE, LOW)).toBeNull();
  expect(refitted(first, { ...BOUNDS, width: 1700 }, LARGE, LOW)).toBeNull();
});
