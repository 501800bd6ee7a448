/** Brushes, fill, feather and undo of a mask, which is a raster of opacity. */
import { describe, expect, test } from "vitest";
import { MaskHistory } from "../../src/panels/mask/history";
import {
  blank,
  clear,
  feather,
  fill,
  invert,
  type Mask,
  paint,
  whole,
} from "../../src/panels/mask/raster";

const SHARP = { radius: 4, hardness: 1, value: 255 };
const at = (mask: Mask, x: number, y: number) => mask.data[y * mask.width + x] ?? -1;
const sum = (mask: Mask) => mask.data.reduce((total, value) => total + value, 0);

describe("paint", () => {
  test("a dab is a disc of the brush's size", () => {
    const mask = blank(32, 32);
    paint(mask, { x: 16, y: 16 }, { x: 16, y: 16 }, SHARP);
    expect(at(mask, 16, 16)).toBe(255);
    expect(at(mask, 18, 16)).toBe(255);
    expect(at(mask, 21, 16)).toBe(0);
    const area = sum(mask) / 255;
    expect(Math.abs(area - Math.PI * 3.5 ** 2)).toBeLessThan(6);
  });

  test("a line covers all between its ends, once or twice over the same", () => {
    const mask = blank(64, 16);
    paint(mask, { x: 8, y: 8 }, { x: 56, y: 8 }, SHARP);
    for (let x = 8; x < 56; x += 1) expect(at(mask, x, 8)).toBe(255);
    const before = mask.data.slice();
    paint(mask, { x: 8, y: 8 }, { x: 56, y: 8 }, SHARP);
    expect(mask.data).toEqual(before);
  });

  test("a soft brush fades outwards; the eraser takes away", () => {
    const mask = blank(64, 64);
    paint(mask, { x: 32, y: 32 }, { x: 32, y: 32 }, { radius: 20, hardness: 0, value: 255 });
    expect(at(mask, 32, 32)).toBeGreaterThan(at(mask, 40, 32));
    expect(at(mask, 40, 32)).toBeGreaterThan(at(mask, 48, 32));
    paint(mask, { x: 32, y: 32 }, { x: 32, y: 32 }, { ...SHARP, radius: 30, value: 0 });
    expect(at(mask, 32, 32)).toBe(0);
  });

  test("strokes may leave the picture", () => {
    const mask = blank(16, 16);
    const part = paint(mask, { x: -40, y: 8 }, { x: 60, y: 8 }, SHARP);
    expect(part).toEqual({ left: 0, top: 3, right: 16, bottom: 13 });
    expect(at(mask, 0, 8)).toBe(255);
    expect(at(mask, 15, 8)).toBe(255);
  });
});

test("filling stops where the picture looks different", () => {
  const mask = blank(16, 8);
  const colours = new Uint8ClampedArray(16 * 8 * 4).fill(40);
  for (let y = 0; y < 8; y += 1) colours.fill(200, (y * 16 + 8) * 4, (y * 16 + 9) * 4);
  const part = fill(mask, colours, { x: 2, y: 2 }, { tolerance: 10, value: 255 });
  expect(part).toEqual({ left: 0, top: 0, right: 8, bottom: 8 });
  expect(at(mask, 7, 7)).toBe(255);
  expect(at(mask, 8, 4)).toBe(0);
  expect(at(mask, 12, 4)).toBe(0);
  expect(fill(mask, colours, { x: -1, y: 0 }, { tolerance: 0, value: 255 }).right).toBe(0);
});

test("feathering softens an edge and keeps the amount", () => {
  const mask = blank(96, 96);
  for (let y = 32; y < 64; y += 1) mask.data.fill(255, y * 96 + 32, y * 96 + 64);
  const before = sum(mask);
  feather(mask, 6);
  expect(Math.abs(sum(mask) / before - 1)).toBeLessThan(0.02);
  expect(at(mask, 48, 48)).toBe(255);
  expect(at(mask, 32, 48)).toBeGreaterThan(90);
  expect(at(mask, 32, 48)).toBeLessThan(165);
  expect(at(mask, 27, 48)).toBeGreaterThan(0);
  expect(at(mask, 4, 48)).toBe(0);
});

test("inverting twice is nothing; clearing is everything", () => {
  const mask = blank(8, 8);
  paint(mask, { x: 4, y: 4 }, { x: 4, y: 4 }, { ...SHARP, radius: 3, hardness: 0 });
  const before = mask.data.slice();
  invert(mask);
  expect(at(mask, 0, 0)).toBe(255);
  invert(mask);
  expect(mask.data).toEqual(before);
  clear(mask);
  expect(sum(mask)).toBe(0);
});

test("undo and redo give every state back", () => {
  const mask = blank(32, 32);
  const history = new MaskHistory(mask);
  const states = [mask.data.slice()];
  for (const x of [4, 12, 20, 28]) {
    const before = { ...mask, data: mask.data.slice() };
    const part = paint(mask, { x, y: 8 }, { x, y: 24 }, { ...SHARP, value: x === 20 ? 0 : 255 });
    history.record(before, part);
    states.push(mask.data.slice());
  }
  const inverted = { ...mask, data: mask.data.slice() };
  invert(mask);
  history.record(inverted, whole(mask));
  states.push(mask.data.slice());
  for (const state of states.slice(0, -1).reverse()) {
    history.undo();
    expect(mask.data).toEqual(state);
  }
  expect(history.undo()).toBeNull();
  for (const state of states.slice(1)) {
    history.redo();
    expect(mask.data).toEqual(state);
  }
  expect(history.redo()).toBeNull();
});
