import { describe, expect, test } from "vitest";
import { nearness, svgPen, traceWire, type WireShape } from "../../src/state/wires";

const line = (points: { x: number; y: number }[], shape: WireShape) => {
  const pen = svgPen();
  traceWire(pen, points, shape);
  return pen.written();
};
const straight = [
  { x: 0, y: 0 },
  { x: 100, y: 50 },
];

describe("lines", () => {
  test("a curve leaves to the right and arrives from the left", () => {
    expect(line(straight, "spline")).toBe("M0 0C50 0 50 50 100 50");
  });
  test("a straight line is one", () => {
    expect(line(straight, "straight")).toBe("M0 0L100 50");
  });
  test("an orthogonal line runs level and upright, with round corners", () => {
    expect(line(straight, "orthogonal")).toMatch(/^M0 0L42 0C.* 50 8L50 42C.* 58 50L100 50$/);
  });
  test("every line goes through its points and ends at its end", () => {
    const points = [...straight, { x: 40, y: 90 }, { x: 300, y: 0 }];
    for (const shape of ["spline", "straight", "orthogonal"] as const) {
      expect(line(points, shape)).toMatch(/300 0$/);
      expect(nearness(points, shape, { x: 40, y: 90 }).distance).toBeLessThan(5);
    }
  });
});

test("a place on a wire says which of its stretches it is on", () => {
  const points = [
    { x: 0, y: 0 },
    { x: 100, y: 0 },
    { x: 200, y: 0 },
    { x: 300, y: 0 },
  ];
  expect(nearness(points, "spline", { x: 50, y: 3 })).toMatchObject({ after: 0 });
  expect(nearness(points, "spline", { x: 150, y: 3 })).toMatchObject({ after: 1 });
  const last = nearness(points, "spline", { x: 250, y: 3 });
  expect(last.after).toBe(2);
  expect(last.distance).toBeCloseTo(3, 1);
});
