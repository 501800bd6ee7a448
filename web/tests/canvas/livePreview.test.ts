/** Where the preview of a running node finds room. */
import { expect, test } from "vitest";
import { roomBelow } from "../../src/canvas/LivePreview";

const sampler = { x: 0, y: 0, width: 240, height: 300 };

test("a preview hangs as far down as the first node below its own", () => {
  const boxes = new Map([
    ["1", sampler],
    ["2", { x: 100, y: 420, width: 240, height: 60 }],
    ["3", { x: 0, y: 500, width: 240, height: 60 }],
  ]);
  expect(roomBelow(boxes, "1")).toBe(108);
});

test("nodes beside and above take no room; one that lies across the edge takes all", () => {
  const boxes = new Map([
    ["1", sampler],
    ["2", { x: 240, y: 310, width: 240, height: 60 }],
    ["3", { x: 0, y: -100, width: 240, height: 60 }],
  ]);
  expect(roomBelow(boxes, "1")).toBe(290);
  boxes.set("4", { x: 20, y: 290, width: 100, height: 60 });
  expect(roomBelow(boxes, "1")).toBe(0);
});
