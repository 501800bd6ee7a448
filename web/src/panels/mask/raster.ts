/**
 * What is done to a mask: painting, filling, feathering. Uses neither the DOM nor files; places are
 * in pixels, and may be outside of the mask. What may take long is a generator: it stops after each
 * tile, so that the page can answer meanwhile.
 */
import { type Change, type Mask, type Part, partOf, TILE, type Tile, tilesIn } from "./tiles";

export interface Spot {
  x: number;
  y: number;
}

export interface Brush {
  /** In pixels of the image. */
  radius: number;
  /** 1 is a sharp edge; at 0 the strength fades from the centre on. */
  hardness: number;
  /** The painted value: 255 masks, 0 erases. */
  value: number;
}

/** Work in steps. */
export type Steps = Generator<void, void, void>;

/**
 * Paints a line with the brush from one place to another. The strength at a pixel depends on its
 * distance to the line, so a slow stroke is no darker than a fast one.
 */
export function paint(change: Change, from: Spot, to: Spot, brush: Brush): void {
  const around = brush.radius + 1;
  const part = {
    left: Math.min(from.x, to.x) - around,
    top: Math.min(from.y, to.y) - around,
    right: Math.max(from.x, to.x) + around,
    bottom: Math.max(from.y, to.y) + around,
  };
  for (const index of tilesIn(change.mask, part)) {
    const { left, top, right, bottom } = partOf(change.mask, index);
    const middle = { x: (left + right) / 2, y: (top + bottom) / 2 };
    const reach = around + Math.hypot(right - left, bottom - top) / 2;
    if (distanceTo(from, to)(middle.x, middle.y) > reach) continue;
    // Nothing more to mask, or to erase.
    if (change.mask.tiles[index] === brush.value) continue;
    paintTile(change.writable(index), partOf(change.mask, index), part, { from, to, brush });
  }
}

interface Stroke {
  from: Spot;
  to: Spot;
  brush: Brush;
}

function paintTile(tile: Uint8ClampedArray, own: Part, part: Part, stroke: Stroke): void {
  const { radius, hardness, value } = stroke.brush;
  const distance = distanceTo(stroke.from, stroke.to);
  const reach = Math.max(radius, 0.5);
  // Even a sharp edge fades over one pixel, for antialiasing.
  const fade = Math.max(radius - radius * hardness, 1);
  const [left, right] = [
    Math.max(own.left, Math.floor(part.left)),
    Math.min(own.right, part.right),
  ];
  const [top, bottom] = [
    Math.max(own.top, Math.floor(part.top)),
    Math.min(own.bottom, part.bottom),
  ];
  for (let y = top; y < bottom; y += 1) {
    for (let x = left; x < right; x += 1) {
      const strength = Math.min(1, (reach - distance(x + 0.5, y + 0.5)) / fade);
      if (strength <= 0) continue;
      const at = (y - own.top) * TILE + x - own.left;
      const before = tile[at] ?? 0;
      // Not accumulated, since the segments of one stroke overlap.
      const wanted = value * strength + (255 - value) * (1 - strength);
      tile[at] = value > 127 ? Math.max(before, wanted) : Math.min(before, wanted);
    }
  }
}

/** The distance of a place to a line. */
function distanceTo(from: Spot, to: Spot): (x: number, y: number) => number {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy;
  return (x, y) => {
    const [px, py] = [x - from.x, y - from.y];
    const along = length === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length));
    const [ax, ay] = [px - along * dx, py - along * dy];
    return Math.sqrt(ax * ax + ay * ay);
  };
}

/** The colours of a tile of the image: four bytes (RGBA) per pixel, rows of `TILE` pixels. */
type Colours = (index: number) => Uint8ClampedArray;

/**
 * Flood fill: the connected area whose colour is within `tolerance` of 255 in each channel of the
 * colour at a place.
 */
export function* fill(
  change: Change,
  colours: Colours,
  place: Spot,
  { tolerance, value }: { tolerance: number; value: number },
): Steps {
  const { width, height } = change.mask;
  const [x0, y0] = [Math.floor(place.x), Math.floor(place.y)];
  if (x0 < 0 || y0 < 0 || x0 >= width || y0 >= height) return;
  const first = tileAt(change.mask, x0, y0);
  const start = ((y0 % TILE) * TILE + (x0 % TILE)) * 4;
  const like = [...colours(first).subarray(start, start + 3)] as [number, number, number];
  const flood: Flood = { change, like, tolerance, value, waiting: new Map(), filled: new Map() };
  flood.waiting.set(first, [(y0 % TILE) * TILE + (x0 % TILE)]);
  for (const [index] of flood.waiting) {
    const seeds = flood.waiting.get(index) ?? [];
    flood.waiting.delete(index);
    fillTile(flood, index, seeds, colours(index));
    yield;
  }
}

interface Flood {
  change: Change;
  like: readonly [number, number, number];
  tolerance: number;
  value: number;
  /** The pixels of each tile at which the area enters it. */
  waiting: Map<number, number[]>;
  /** 1 for each pixel of a tile that was looked at. */
  filled: Map<number, Uint8Array>;
}

function tileAt({ across }: Mask, x: number, y: number): number {
  return Math.floor(y / TILE) * across + Math.floor(x / TILE);
}

function fillTile(flood: Flood, index: number, seeds: number[], colours: Uint8ClampedArray): void {
  const { change, like, tolerance, value } = flood;
  const { left, top, right, bottom } = partOf(change.mask, index);
  const [width, height] = [right - left, bottom - top];
  const seen = flood.filled.get(index) ?? new Uint8Array(TILE * TILE);
  flood.filled.set(index, seen);
  const near = (at: number) =>
    Math.abs((colours[at * 4] ?? 0) - like[0]) <= tolerance &&
    Math.abs((colours[at * 4 + 1] ?? 0) - like[1]) <= tolerance &&
    Math.abs((colours[at * 4 + 2] ?? 0) - like[2]) <= tolerance;
  const waiting: number[] = [];
  const look = (at: number) => {
    if (seen[at] === 1 || !near(at)) return;
    seen[at] = 1;
    waiting.push(at);
  };
  for (const seed of seeds) look(seed);
  if (waiting.length === 0) return;
  const tile = change.writable(index);
  const beyond = (x: number, y: number) => {
    if (x < 0 || y < 0 || x >= change.mask.width || y >= change.mask.height) return;
    const next = tileAt(change.mask, x, y);
    const at = (y % TILE) * TILE + (x % TILE);
    if (flood.filled.get(next)?.[at] === 1) return;
    const found = flood.waiting.get(next);
    if (found === undefined) flood.waiting.set(next, [at]);
    else found.push(at);
  };
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const [x, y] = [at % TILE, Math.floor(at / TILE)];
    tile[at] = value;
    if (x > 0) look(at - 1);
    else beyond(left - 1, top + y);
    if (x < width - 1) look(at + 1);
    else beyond(right, top + y);
    if (y > 0) look(at - TILE);
    else beyond(left + x, top - 1);
    if (y < height - 1) look(at + TILE);
    else beyond(left + x, bottom);
  }
}

export function* invert(change: Change): Steps {
  for (const [index, tile] of change.mask.tiles.entries()) {
    change.set(index, typeof tile === "number" ? 255 - tile : tile.map((each) => 255 - each));
    yield;
  }
}

export function* clear(change: Change): Steps {
  for (const [index, tile] of change.mask.tiles.entries()) {
    if (tile === 0) continue;
    change.set(index, 0);
    yield;
  }
}

/**
 * Feathers edges by about `radius` pixels: three box blurs approximate a Gaussian (Wells 1986,
 * "Efficient Synthesis of Gaussian Filters by Cascaded Uniform Filters"). Each tile is blurred with
 * as much around it as the three reach.
 */
export function* feather(change: Change, radius: number): Steps {
  const { mask } = change;
  const reach = Math.max(1, Math.round(radius / Math.sqrt(3)));
  for (const index of mask.tiles.keys()) {
    const own = partOf(mask, index);
    const part = grownBy(mask, own, 3 * reach);
    const around = tilesIn(mask, part).map((each) => change.earlier(each));
    const [first] = around;
    // What is the same all around stays so.
    if (typeof first === "number" && around.every((each) => each === first)) continue;
    change.set(index, blurred(change, own, part, reach));
    yield;
  }
}

function grownBy({ width, height }: Mask, part: Part, by: number): Part {
  return {
    left: Math.max(0, part.left - by),
    top: Math.max(0, part.top - by),
    right: Math.min(width, part.right + by),
    bottom: Math.min(height, part.bottom + by),
  };
}

/** The tile of `own`, blurred with what is around it in `part`. */
function blurred(change: Change, own: Part, part: Part, reach: number): Tile {
  const [width, height] = [part.right - part.left, part.bottom - part.top];
  const bytes = bytesOf(change.mask, part, (index) => change.earlier(index));
  const other = new Uint8ClampedArray(bytes.length);
  for (let round = 0; round < 3; round += 1) {
    mean(bytes, other, width, height, 1, width, reach);
    mean(other, bytes, height, width, width, 1, reach);
  }
  const tile = new Uint8ClampedArray(TILE * TILE);
  for (let y = own.top; y < own.bottom; y += 1) {
    const from = (y - part.top) * width + own.left - part.left;
    tile.set(bytes.subarray(from, from + own.right - own.left), (y - own.top) * TILE);
  }
  return tile;
}

/** The bytes of a rectangle within the mask, row by row. */
export function bytesOf(
  mask: Mask,
  part: Part,
  tileOf = (index: number): Tile => mask.tiles[index] ?? 0,
): Uint8ClampedArray {
  const width = part.right - part.left;
  const bytes = new Uint8ClampedArray(width * (part.bottom - part.top));
  for (const index of tilesIn(mask, part)) {
    const tile = tileOf(index);
    const own = partOf(mask, index);
    const [left, right] = [Math.max(own.left, part.left), Math.min(own.right, part.right)];
    for (let y = Math.max(own.top, part.top); y < Math.min(own.bottom, part.bottom); y += 1) {
      const to = (y - part.top) * width + left - part.left;
      const from = (y - own.top) * TILE - own.left;
      if (typeof tile === "number") bytes.fill(tile, to, to + right - left);
      else bytes.set(tile.subarray(from + left, from + right), to);
    }
  }
  return bytes;
}

/**
 * The mean over `2 reach + 1` neighbours along lines; the pixel at the end is repeated beyond it.
 */
function mean(
  from: Uint8ClampedArray,
  to: Uint8ClampedArray,
  length: number,
  lines: number,
  step: number,
  line: number,
  reach: number,
): void {
  const count = 2 * reach + 1;
  for (let each = 0; each < lines; each += 1) {
    const start = each * line;
    const value = (at: number) => from[start + Math.min(Math.max(at, 0), length - 1) * step] ?? 0;
    let sum = 0;
    for (let at = -reach; at <= reach; at += 1) sum += value(at);
    for (let at = 0; at < length; at += 1) {
      to[start + at * step] = sum / count;
      sum += value(at + reach + 1) - value(at - reach);
    }
  }
}
