/** Brushes, fill, feather and undo of a mask, which is a raster of opacity. */

import { inflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { MaskHistory } from "../../src/panels/mask/history";
import { levelAt } from "../../src/panels/mask/PaintedTiles";
import { pngOf } from "../../src/panels/mask/png";
import {
  type Brush,
  bytesOf,
  clear,
  feather,
  fill,
  invert,
  paint,
  type Spot,
  type Steps,
} from "../../src/panels/mask/raster";
import { blank, Change, type Mask, partOf, sumOf, TILE } from "../../src/panels/mask/tiles";

const SHARP = { radius: 4, hardness: 1, value: 255 };
const at = (mask: Mask, x: number, y: number) =>
  bytesOf(mask, { left: x, top: y, right: x + 1, bottom: y + 1 })[0] ?? -1;
const bytes = (mask: Mask) =>
  bytesOf(mask, { left: 0, top: 0, right: mask.width, bottom: mask.height });
const sum = (mask: Mask) =>
  mask.tiles.reduce((total: number, _, each) => total + sumOf(mask, each), 0);

/** A finished change. */
function changed(mask: Mask, act: (change: Change) => Steps | null): Change {
  const change = new Change(mask);
  for (const _ of act(change) ?? []);
  return change;
}

const line = (mask: Mask, from: Spot, to: Spot, brush: Brush) =>
  changed(mask, (change) => {
    paint(change, from, to, brush);
    return null;
  });

describe("paint", () => {
  test("a dab is a disc of the brush's size", () => {
    const mask = blank(32, 32);
    line(mask, { x: 16, y: 16 }, { x: 16, y: 16 }, SHARP);
    expect(at(mask, 16, 16)).toBe(255);
    expect(at(mask, 18, 16)).toBe(255);
    expect(at(mask, 21, 16)).toBe(0);
    const area = sum(mask) / 255;
    expect(Math.abs(area - Math.PI * 3.5 ** 2)).toBeLessThan(6);
  });

  test("a line covers all between its ends, once or twice over the same", () => {
    const mask = blank(64, 16);
    line(mask, { x: 8, y: 8 }, { x: 56, y: 8 }, SHARP);
    for (let x = 8; x < 56; x += 1) expect(at(mask, x, 8)).toBe(255);
    const before = bytes(mask);
    line(mask, { x: 8, y: 8 }, { x: 56, y: 8 }, SHARP);
    expect(bytes(mask)).toEqual(before);
  });

  test("a soft brush fades outwards; the eraser takes away", () => {
    const mask = blank(64, 64);
    line(mask, { x: 32, y: 32 }, { x: 32, y: 32 }, { radius: 20, hardness: 0, value: 255 });
    expect(at(mask, 32, 32)).toBeGreaterThan(at(mask, 40, 32));
    expect(at(mask, 40, 32)).toBeGreaterThan(at(mask, 48, 32));
    line(mask, { x: 32, y: 32 }, { x: 32, y: 32 }, { ...SHARP, radius: 30, value: 0 });
    expect(at(mask, 32, 32)).toBe(0);
  });

  test("strokes may leave the picture", () => {
    const mask = blank(16, 16);
    line(mask, { x: -40, y: 8 }, { x: 60, y: 8 }, SHARP);
    expect(at(mask, 0, 8)).toBe(255);
    expect(at(mask, 15, 8)).toBe(255);
  });
});

/** The colours of a picture of two halves, divided by one column at `x`. */
const dividedAt = (mask: Mask, x: number) => (index: number) => {
  const { left } = partOf(mask, index);
  const colours = new Uint8ClampedArray(TILE * TILE * 4).fill(40);
  if (x < left || x >= left + TILE) return colours;
  for (let y = 0; y < TILE; y += 1)
    colours.fill(200, (y * TILE + x - left) * 4, (y * TILE + x - left + 1) * 4);
  return colours;
};

test("filling stops where the picture looks different", () => {
  const mask = blank(16, 8);
  const colours = dividedAt(mask, 8);
  changed(mask, (change) => fill(change, colours, { x: 2, y: 2 }, { tolerance: 10, value: 255 }));
  expect(sum(mask) / 255).toBe(8 * 8);
  expect(at(mask, 7, 7)).toBe(255);
  expect(at(mask, 8, 4)).toBe(0);
  expect(at(mask, 12, 4)).toBe(0);
  const none = changed(mask, (change) =>
    fill(change, colours, { x: -1, y: 0 }, { tolerance: 0, value: 255 }),
  );
  expect(none.before.size).toBe(0);
});

test("filling goes on from tile to tile, also backwards", () => {
  const mask = blank(3 * TILE, 2 * TILE + 40);
  const wall = dividedAt(mask, 2 * TILE + 7);
  changed(mask, (change) =>
    fill(change, wall, { x: TILE + 3, y: TILE + 3 }, { tolerance: 10, value: 255 }),
  );
  expect(sum(mask) / 255).toBe((2 * TILE + 7) * mask.height);
});

test("feathering softens an edge and keeps the amount", () => {
  const mask = blank(96, 96);
  changed(mask, (change) => {
    for (let y = 32; y < 64; y += 1) change.writable(0).fill(255, y * TILE + 32, y * TILE + 64);
    return null;
  });
  const before = sum(mask);
  changed(mask, (change) => feather(change, 6));
  expect(Math.abs(sum(mask) / before - 1)).toBeLessThan(0.02);
  expect(at(mask, 48, 48)).toBe(255);
  expect(at(mask, 32, 48)).toBeGreaterThan(90);
  expect(at(mask, 32, 48)).toBeLessThan(165);
  expect(at(mask, 27, 48)).toBeGreaterThan(0);
  expect(at(mask, 4, 48)).toBe(0);
});

test("inverting twice is nothing; clearing is everything", () => {
  const mask = blank(8, 8);
  line(mask, { x: 4, y: 4 }, { x: 4, y: 4 }, { ...SHARP, radius: 3, hardness: 0 });
  const before = bytes(mask);
  changed(mask, invert);
  expect(at(mask, 0, 0)).toBe(255);
  changed(mask, invert);
  expect(bytes(mask)).toEqual(before);
  changed(mask, clear);
  expect(sum(mask)).toBe(0);
});

test("undo and redo give every state back", () => {
  const mask = blank(32, 32);
  const history = new MaskHistory(mask);
  const states = [bytes(mask)];
  for (const x of [4, 12, 20, 28]) {
    const brush = { ...SHARP, value: x === 20 ? 0 : 255 };
    history.record(line(mask, { x, y: 8 }, { x, y: 24 }, brush));
    states.push(bytes(mask));
  }
  history.record(changed(mask, invert));
  states.push(bytes(mask));
  for (const state of states.slice(0, -1).reverse()) {
    history.undo();
    expect(bytes(mask)).toEqual(state);
  }
  expect(history.undo()).toBeNull();
  for (const state of states.slice(1)) {
    history.redo();
    expect(bytes(mask)).toEqual(state);
  }
  expect(history.redo()).toBeNull();
});

describe("a large mask", () => {
  const SIDE = 8000;
  const soft = { radius: 90, hardness: 0.4, value: 255 };

  test("is the same in tiles as in one piece", () => {
    // A mask that is one tile wide has no borders: painted in the middle of it, and across four.
    const [one, four] = [blank(TILE, TILE), blank(2 * TILE, 2 * TILE)];
    const away = TILE / 2;
    for (const [mask, by] of [
      [one, 0],
      [four, away],
    ] as const) {
      line(mask, { x: 60 + by, y: 70 + by }, { x: 190 + by, y: 180 + by }, { ...soft, radius: 20 });
      changed(mask, (change) => feather(change, 9));
    }
    const middle = { left: away, top: away, right: away + TILE, bottom: away + TILE };
    expect(bytesOf(four, middle)).toEqual(bytes(one));
  });

  test("takes what is painted on it, and no more", () => {
    const mask = blank(SIDE, SIDE);
    line(mask, { x: 300, y: 300 }, { x: 7500, y: 7700 }, soft);
    const painted = mask.tiles.filter((tile) => typeof tile !== "number").length;
    expect(painted).toBeGreaterThan(30);
    // Of 1,024; the box around this stroke has 870.
    expect(painted).toBeLessThan(130);
    changed(mask, invert);
    expect(mask.tiles.filter((tile) => typeof tile !== "number").length).toBe(painted);
    changed(mask, clear);
    expect(mask.tiles.every((tile) => tile === 0)).toBe(true);
  });

  test("keeps tiles of the same value as that value, once a change is finished", () => {
    const mask = blank(SIDE, SIDE);
    const history = new MaskHistory(mask);
    history.record(
      line(mask, { x: 2000, y: 2000 }, { x: 2100, y: 2000 }, { ...SHARP, radius: 600 }),
    );
    expect(mask.tiles).toContain(255);
    expect(at(mask, 2050, 2000)).toBe(255);
    // A stroke where everything is masked already is no step of undo.
    history.record(line(mask, { x: 2050, y: 2000 }, { x: 2050, y: 2000 }, SHARP));
    history.undo();
    expect(sum(mask)).toBe(0);
    expect(history.canUndo).toBe(false);
  });

  test("forgets the earliest steps beyond a limit, never the last", () => {
    const mask = blank(SIDE, SIDE);
    const history = new MaskHistory(mask, 3 * TILE * TILE);
    for (let step = 0; step < 6; step += 1) {
      const spot = { x: 128, y: 128 + step };
      history.record(line(mask, spot, spot, SHARP));
    }
    let undone = 0;
    while (history.undo() !== null) undone += 1;
    // Before the first stroke the tile was a number.
    expect(undone).toBe(3);
    const small = new MaskHistory(mask, 1);
    small.record(line(mask, { x: 900, y: 900 }, { x: 3000, y: 900 }, SHARP));
    expect(small.canUndo).toBe(true);
  });

  test("a tile is painted no smaller than it is shown, and no more than twice as large", () => {
    expect([32, 1, 0.51, 0.5, 0.26, 0.125, 0.01].map(levelAt)).toEqual([0, 0, 0, 1, 1, 3, 6]);
  });
});

test("the file has the size of the picture and is opaque where nothing is masked", async () => {
  const mask = blank(300, 270);
  line(mask, { x: 290, y: 265 }, { x: 290, y: 265 }, SHARP);
  const file = Buffer.from(await (await pngOf(mask)).arrayBuffer());
  expect(file.subarray(0, 8)).toEqual(Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]));
  expect([file.readUInt32BE(16), file.readUInt32BE(20), file[24], file[25]]).toEqual([
    300, 270, 8, 4,
  ]);
  const packed: Buffer[] = [];
  for (let from = 8; from < file.length; ) {
    const size = file.readUInt32BE(from);
    if (file.toString("latin1", from + 4, from + 8) === "IDAT")
      packed.push(file.subarray(from + 8, from + 8 + size));
    from += size + 12;
  }
  const rows = inflateSync(Buffer.concat(packed));
  expect(rows.length).toBe(270 * 601);
  const opacity = (x: number, y: number) => rows[y * 601 + 1 + x * 2 + 1];
  expect(opacity(0, 0)).toBe(255);
  expect(opacity(290, 265)).toBe(0);
  for (const [x, y] of [
    [286, 262],
    [299, 269],
    [250, 250],
  ] as const)
    expect(opacity(x, y)).toBe(255 - at(mask, x, y));
});
