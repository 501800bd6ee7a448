/** The bar of the selection covers nothing that it acts on. */
import { expect, test } from "vitest";
import { barPlace } from "../../src/canvas/barPlace";
import type { Box } from "../../src/document/arrange";

const BAR = { width: 250, height: 34 };
const ROOM = { width: 1000, height: 600 };

function place(selected: readonly Box[], others: readonly Box[] = []) {
  const left = Math.min(...selected.map(({ x }) => x));
  const top = Math.min(...selected.map(({ y }) => y));
  const selection = {
    x: left,
    y: top,
    width: Math.max(...selected.map(({ x, width }) => x + width)) - left,
    height: Math.max(...selected.map(({ y, height }) => y + height)) - top,
  };
  return barPlace({ bar: BAR, room: ROOM, selection, selected, others });
}

function covers(at: { x: number; y: number }, box: Box): boolean {
  return (
    at.x < box.x + box.width &&
    box.x < at.x + BAR.width &&
    at.y < box.y + box.height &&
    box.y < at.y + BAR.height
  );
}

const MIDDLE = { x: 400, y: 250, width: 200, height: 100 };

test("it stands above what is selected, in its middle", () => {
  expect(place([MIDDLE])).toEqual({ x: 375, y: 250 - 34 - 12 });
});

test("it goes below where it would leave the canvas, or cover another node", () => {
  expect(place([{ ...MIDDLE, y: 20 }])).toEqual({ x: 375, y: 132 });
  const above = { x: 420, y: 190, width: 100, height: 50 };
  expect(place([MIDDLE], [above])).toEqual({ x: 375, y: 362 });
  const below = { ...above, y: 355 };
  expect(place([MIDDLE], [above, below])).toEqual({ x: 375, y: 204 });
});

test("between tall nodes it finds a gap; where all is covered, it is gone", () => {
  const columns = [0, 360, 720].map((x) => ({ x, y: 4, width: 280, height: 590 }));
  expect(place(columns)).toBeNull();
  const steps = [
    { x: 0, y: 4, width: 500, height: 300 },
    { x: 500, y: 300, width: 500, height: 296 },
  ];
  const found = place(steps);
  expect(found).not.toBeNull();
  for (const each of steps) expect(found && covers(found, each)).toBe(false);
});

test("what is out of view has none", () => {
  expect(place([{ ...MIDDLE, x: 1200 }])).toBeNull();
  expect(place([{ ...MIDDLE, y: -400 }])).toBeNull();
});
