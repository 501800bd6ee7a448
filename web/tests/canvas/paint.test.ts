/** Line breaks of titles when nodes are painted zoomed out. */
import { expect, test } from "vitest";
import { hatchOf, linesOf } from "../../src/canvas/paint";

const room = (letters: number, lines: number) => ({
  width: letters * 10 * 0.58 + 1,
  height: lines * 10 * 1.15 + 1,
});

test("a title is broken between words where there is room below", () => {
  expect(linesOf("Load the checkpoint", room(10, 3), 10)).toEqual(["Load the", "checkpoint"]);
  expect(linesOf("Sampler", room(10, 3), 10)).toEqual(["Sampler"]);
});

test("what has no room is cut, and says so", () => {
  expect(linesOf("Load the checkpoint", room(10, 1), 10)).toEqual(["Load the …"]);
  expect(linesOf("Preview3DAdvanced", room(8, 2), 10)).toEqual(["Preview…"]);
  expect(linesOf("ab", room(0, 0), 10)).toEqual(["a…"]);
});

test("no line is longer than the room", () => {
  for (let letters = 2; letters < 30; letters += 1) {
    for (const line of linesOf(
      "CLIP Text Encode (Prompt) with much to say",
      room(letters, 9),
      10,
    )) {
      expect(line.length).toBeLessThanOrEqual(letters);
    }
  }
});

test("a hatching covers the whole box and does not leave it", () => {
  const box = { x: 100, y: -50, width: 240, height: 90 };
  const lines = hatchOf(box, 20);
  expect(lines.length).toBe(16);
  for (const [from, to] of lines) {
    for (const { x, y } of [from, to]) {
      expect(x).toBeGreaterThanOrEqual(100);
      expect(x).toBeLessThanOrEqual(340);
      expect(y).toBeGreaterThanOrEqual(-50);
      expect(y).toBeLessThanOrEqual(40);
    }
    // All have the same slope: up by as much as to the right.
    expect(to.x - from.x).toBeCloseTo(from.y - to.y);
  }
});
