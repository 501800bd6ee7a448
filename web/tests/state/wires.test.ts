/** The lines of wires on the screen. */
import { describe, expect, test } from "vitest";
import { readGraph } from "../../src/document/read";
import { nearness, svgPen, traceWire, type WireShape } from "../../src/state/editing/wires";
import { passedType } from "../../src/state/nodes/reroutes";
import { shapeOf, TITLE } from "../../src/state/nodes/shape";

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

describe("reroute nodes", () => {
  const layout = () => undefined;
  const graph = readGraph(
    {
      nodes: [
        { id: 1, type: "Any", outputs: [{ name: "m", type: "MASK", links: [1] }] },
        {
          id: 2,
          type: "Reroute",
          pos: [0, 0],
          size: [75, 26],
          inputs: [{ name: "", type: "*", link: 1 }],
          outputs: [{ name: "", type: "*", links: [2] }],
        },
        {
          id: 3,
          type: "Reroute",
          pos: [0, 0],
          size: [75, 26],
          inputs: [{ name: "", type: "*", link: 2 }],
          outputs: [{ name: "", type: "*", links: [] }],
        },
      ],
      links: [
        [1, 1, 0, 2, 0, "MASK"],
        [2, 2, 0, 3, 0, "*"],
      ],
    },
    layout,
  );
  test("are small, with a socket at each end", () => {
    const node = graph.nodes["2"];
    if (node === undefined) throw new Error("no node");
    const shape = shapeOf(node, undefined, false);
    expect(shape).toMatchObject({ width: 75, height: TITLE + 24, widgets: [] });
    expect([shape.inputs.length, shape.outputs.length]).toEqual([1, 1]);
  });
  test("pass on the type that comes in, through a chain of them", () => {
    expect(passedType(graph, "3")).toBe("MASK");
    expect(passedType(graph, "2")).toBe("MASK");
  });
});
