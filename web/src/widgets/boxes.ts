/** Boxes and points on an image, in its pixels, in the forms in which nodes save them. */

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Extent {
  width: number;
  height: number;
}

export type Marker = "box" | "boxes" | "points";

const LEAST = 1;

/** The box in a value; other properties (labels, colours) stay with it. */
function boxOf(value: unknown): Box {
  const given =
    typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  const number = (name: string) => (Number.isFinite(Number(given[name])) ? Number(given[name]) : 0);
  return { x: number("x"), y: number("y"), width: number("width"), height: number("height") };
}

/** The marks of a value: one box, a list of boxes, or points (boxes without size). */
export function marksIn(value: unknown, marker: Marker): Box[] {
  const read = typeof value === "string" ? parsed(value) : value;
  if (marker === "box") return [boxOf(read)];
  return Array.isArray(read) ? read.map(pointOrBox) : [];
}

function pointOrBox(each: unknown): Box {
  if (!Array.isArray(each)) return boxOf(each);
  const [x = 0, y = 0, width = 0, height = 0] = each.map(Number);
  return { x, y, width, height };
}

/** The value with other marks, in its previous form: text stays text, a list a list. */
export function withMarks(before: unknown, marker: Marker, marks: readonly Box[]): unknown {
  const read = typeof before === "string" ? parsed(before) : before;
  if (marker === "box") return { ...objectOf(read), ...tidy(marks[0] ?? boxOf(read)) };
  const list = Array.isArray(read) ? read : [];
  const written = marks.map((each, index) => {
    const { x, y, width, height } = tidy(each);
    const old: unknown = list[index] ?? list[0];
    if (Array.isArray(old)) return marker === "points" ? [x, y] : [x, y, width, height];
    const others = objectOf(list[index]);
    return marker === "points" ? { ...others, x, y } : { ...others, x, y, width, height };
  });
  return typeof before === "string" ? JSON.stringify(written) : written;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function tidy({ x, y, width, height }: Box): Box {
  return {
    x: Math.round(x),
    y: Math.round(y),
    width: Math.round(width),
    height: Math.round(height),
  };
}

/** A moved box, kept inside the image. */
export function movedBy(box: Box, by: { x: number; y: number }, extent: Extent): Box {
  return {
    ...box,
    x: between(box.x + by.x, 0, extent.width - box.width),
    y: between(box.y + by.y, 0, extent.height - box.height),
  };
}

/** A box with its lower right corner moved. */
export function sizedBy(box: Box, by: { x: number; y: number }, extent: Extent): Box {
  return {
    ...box,
    width: between(box.width + by.x, LEAST, extent.width - box.x),
    height: between(box.height + by.y, LEAST, extent.height - box.y),
  };
}

/** The box between two corners, in any order. */
export function spanned(one: { x: number; y: number }, other: { x: number; y: number }): Box {
  return {
    x: Math.min(one.x, other.x),
    y: Math.min(one.y, other.y),
    width: Math.abs(one.x - other.x),
    height: Math.abs(one.y - other.y),
  };
}

function between(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(value, Math.max(least, most)));
}
