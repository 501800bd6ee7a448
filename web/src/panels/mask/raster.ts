/**
 * A mask as an array of bytes, and operations on it: painting, filling, feathering. 255 is fully
 * masked. Uses neither the DOM nor files; places are in pixels, and may be outside of the mask.
 */

export interface Mask {
  width: number;
  height: number;
  /** Row by row, one byte per pixel. */
  data: Uint8ClampedArray;
}

/**
 * A rectangle of a mask; `right` and `bottom` are exclusive. Empty if left is not less than right.
 */
export interface Part {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface Brush {
  /** In pixels of the image. */
  radius: number;
  /** 1 is a sharp edge; at 0 the strength fades from the centre on. */
  hardness: number;
  /** The painted value: 255 masks, 0 erases. */
  value: number;
}

export function blank(width: number, height: number): Mask {
  return { width, height, data: new Uint8ClampedArray(width * height) };
}

/** The part of a rectangle within the mask. */
export function clipped({ width, height }: Mask, part: Part): Part {
  return {
    left: Math.max(0, Math.floor(part.left)),
    top: Math.max(0, Math.floor(part.top)),
    right: Math.min(width, Math.ceil(part.right)),
    bottom: Math.min(height, Math.ceil(part.bottom)),
  };
}

export function whole({ width, height }: Mask): Part {
  return { left: 0, top: 0, right: width, bottom: height };
}

export function isEmpty({ left, top, right, bottom }: Part): boolean {
  return left >= right || top >= bottom;
}

export function joined(one: Part, other: Part): Part {
  if (isEmpty(one)) return other;
  if (isEmpty(other)) return one;
  return {
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  };
}

/**
 * Paints a line with the brush from one place to another; returns the changed part. The strength at
 * a pixel depends on its distance to the line, so a slow stroke is no darker than a fast one.
 */
export function paint(
  mask: Mask,
  from: { x: number; y: number },
  to: { x: number; y: number },
  { radius, hardness, value }: Brush,
): Part {
  const part = clipped(mask, {
    left: Math.min(from.x, to.x) - radius - 1,
    top: Math.min(from.y, to.y) - radius - 1,
    right: Math.max(from.x, to.x) + radius + 1,
    bottom: Math.max(from.y, to.y) + radius + 1,
  });
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy;
  const solid = radius * hardness;
  // Even a sharp edge fades over one pixel, for antialiasing.
  const fade = Math.max(radius - solid, 1);
  for (let y = part.top; y < part.bottom; y += 1) {
    for (let x = part.left; x < part.right; x += 1) {
      const [px, py] = [x + 0.5 - from.x, y + 0.5 - from.y];
      const along = length === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length));
      const distance = Math.hypot(px - along * dx, py - along * dy);
      const strength = Math.min(1, Math.max(0, (Math.max(radius, 0.5) - distance) / fade));
      if (strength === 0) continue;
      const at = y * mask.width + x;
      const before = mask.data[at] ?? 0;
      // Not accumulated, since the segments of one stroke overlap.
      const wanted = value * strength + (255 - value) * (1 - strength);
      mask.data[at] = value > 127 ? Math.max(before, wanted) : Math.min(before, wanted);
    }
  }
  return part;
}

/** The colours of an image, four bytes (RGBA) per pixel. */
export type Colours = Uint8ClampedArray;

/**
 * Flood fill: the connected area whose colour is within `tolerance` of 255 in each channel of the
 * colour at a place. Returns the changed part.
 */
export function fill(
  mask: Mask,
  colours: Colours,
  place: { x: number; y: number },
  { tolerance, value }: { tolerance: number; value: number },
): Part {
  const { width, height, data } = mask;
  const [x0, y0] = [Math.floor(place.x), Math.floor(place.y)];
  const none = { left: 0, top: 0, right: 0, bottom: 0 };
  if (x0 < 0 || y0 < 0 || x0 >= width || y0 >= height) return none;
  const start = (y0 * width + x0) * 4;
  const near = (at: number) => {
    for (let channel = 0; channel < 3; channel += 1) {
      const difference = (colours[at * 4 + channel] ?? 0) - (colours[start + channel] ?? 0);
      if (Math.abs(difference) > tolerance) return false;
    }
    return true;
  };
  const seen = new Uint8Array(width * height);
  const waiting = [y0 * width + x0];
  seen[y0 * width + x0] = 1;
  let changed = none;
  const look = (at: number) => {
    if (seen[at] === 1 || !near(at)) return;
    seen[at] = 1;
    waiting.push(at);
  };
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const [x, y] = [at % width, Math.floor(at / width)];
    data[at] = value;
    changed = joined(changed, { left: x, top: y, right: x + 1, bottom: y + 1 });
    if (x > 0) look(at - 1);
    if (x < width - 1) look(at + 1);
    if (y > 0) look(at - width);
    if (y < height - 1) look(at + width);
  }
  return changed;
}

export function invert(mask: Mask): Part {
  for (let at = 0; at < mask.data.length; at += 1) mask.data[at] = 255 - (mask.data[at] ?? 0);
  return whole(mask);
}

export function clear(mask: Mask, value = 0): Part {
  mask.data.fill(value);
  return whole(mask);
}

/**
 * Feathers edges by about `radius` pixels: three box blurs approximate a Gaussian (Wells 1986,
 * "Efficient Synthesis of Gaussian Filters by Cascaded Uniform Filters").
 */
export function feather(mask: Mask, radius: number): Part {
  const reach = Math.max(1, Math.round(radius / Math.sqrt(3)));
  const other = new Uint8ClampedArray(mask.data.length);
  for (let round = 0; round < 3; round += 1) {
    mean(mask.data, other, mask.width, mask.height, 1, mask.width, reach);
    mean(other, mask.data, mask.height, mask.width, mask.width, 1, reach);
  }
  return whole(mask);
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

/** A copy of a part, for undo. */
export function copyPart(mask: Mask, part: Part): Uint8ClampedArray {
  const width = part.right - part.left;
  const copy = new Uint8ClampedArray(Math.max(0, width * (part.bottom - part.top)));
  for (let y = part.top; y < part.bottom; y += 1) {
    const from = y * mask.width + part.left;
    copy.set(mask.data.subarray(from, from + width), (y - part.top) * width);
  }
  return copy;
}

/** Restores what `copyPart` copied. */
export function restorePart(mask: Mask, part: Part, copy: Uint8ClampedArray): void {
  const width = part.right - part.left;
  for (let y = part.top; y < part.bottom; y += 1) {
    const from = (y - part.top) * width;
    mask.data.set(copy.subarray(from, from + width), y * mask.width + part.left);
  }
}
