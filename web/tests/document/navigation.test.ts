/** Arrow keys in a graph of wires, siblings and a node without wires. */
import { expect, test } from "vitest";
import type { Graph } from "../../src/document/graph";
import { neighbours, nodeNear, walk } from "../../src/document/navigation";
import { readGraph } from "../../src/document/read";

/** Loader 1 feeds 2, 3 and 4; 2 and 3 feed 4; 5 has no wires and is far below. */
const PLACES: Readonly<Record<string, [number, number]>> = {
  1: [0, 100],
  2: [300, 0],
  3: [300, 200],
  4: [600, 100],
  5: [300, 900],
};
const WIRES = [
  [1, 1, 0, 2, 0, "CLIP"],
  [2, 1, 0, 3, 0, "CLIP"],
  [3, 1, 1, 4, 0, "MODEL"],
  [4, 2, 0, 4, 1, "CONDITIONING"],
  [5, 3, 0, 4, 2, "CONDITIONING"],
];

function graph(): Graph {
  const nodes = Object.entries(PLACES).map(([id, pos]) => ({
    id: Number(id),
    type: "Any",
    pos,
    size: [200, 100],
    inputs: WIRES.filter((each) => each[3] === Number(id)).map(([link, , , , slot, type]) => ({
      name: `in${slot}`,
      type,
      link,
    })),
    outputs: [0, 1].map((slot) => ({
      name: `out${slot}`,
      type: "*",
      links: WIRES.filter((each) => each[1] === Number(id) && each[2] === slot).map(([key]) => key),
    })),
  }));
  const saved = { nodes, links: WIRES, groups: [], version: 0.4, last_node_id: 5, last_link_id: 5 };
  return readGraph(saved as never, () => undefined);
}

test("right goes to what the node feeds, left back to where one came from", () => {
  const there = walk(graph(), "3", "right", null);
  expect(there?.to).toBe("4");
  expect(walk(graph(), "4", "left", there?.previous ?? null)?.to).toBe("3");
  expect(walk(graph(), "4", "left", null)?.to).toBe("1");
});

test("down and up go among those that hang on the same node, and remember which", () => {
  const first = walk(graph(), "1", "right", null);
  expect(first?.to).toBe("2");
  const second = walk(graph(), "2", "down", first?.previous ?? null);
  expect(second?.to).toBe("4");
  const third = walk(graph(), "4", "down", second?.previous ?? null);
  expect(third?.to).toBe("3");
  expect(walk(graph(), "3", "up", third?.previous ?? null)?.to).toBe("4");
});

test("where no wire leads on, the nearest node that way is next, so that all are reached", () => {
  expect(walk(graph(), "3", "down", { from: "1", direction: "right" })?.to).toBe("5");
  expect(walk(graph(), "5", "up", null)?.to).toBe("3");
  expect(walk(graph(), "5", "left", null)?.to).toBe("1");
  expect(walk(graph(), "4", "right", null)).toBeNull();
});

test("one walks through what is not drawn", () => {
  const hidden = new Map([
    ["2", "frame"],
    ["3", "frame"],
  ]);
  expect(neighbours(graph(), "1", "right", hidden)).toEqual(["4"]);
  expect(walk(graph(), "5", "up", null, hidden)?.to).toBe("1");
});

test("the node nearest to a place is found", () => {
  expect(nodeNear(graph(), { x: 390, y: 260 })).toBe("3");
  expect(nodeNear({ ...graph(), order: [] }, { x: 0, y: 0 })).toBeNull();
});
