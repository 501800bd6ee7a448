/** A curve through points in the unit square, in the form in which nodes save it. */

type CurvePoint = readonly [number, number];

export interface Curve {
  points: readonly CurvePoint[];
  interpolation: string;
}

export const STRAIGHT: Curve = {
  points: [
    [0, 0],
    [1, 1],
  ],
  interpolation: "monotone_cubic",
};
const DIGITS = 4;
/** The least distance between two points, so that the curve stays a function. */
const APART = 0.005;

/**
 * The curve of a value, which may be a plain list of points; a straight line if it is not a curve.
 */
export function curveOf(value: unknown): Curve {
  const given = typeof value === "object" && value !== null ? value : {};
  const list = Array.isArray(given) ? given : "points" in given ? given.points : null;
  const points = (Array.isArray(list) ? list : []).flatMap((each): CurvePoint[] => {
    const [x, y] = Array.isArray(each) ? each.map(Number) : [];
    return x !== undefined && y !== undefined && Number.isFinite(x + y) ? [[x, y]] : [];
  });
  if (points.length < 2) return STRAIGHT;
  const how = "interpolation" in given ? String(given.interpolation) : STRAIGHT.interpolation;
  return { points: points.sort((one, other) => one[0] - other[0]), interpolation: how };
}

/** The curve in the form of the previous value; unknown properties stay. */
export function inCurveFormOf(before: unknown, curve: Curve): unknown {
  const points = curve.points.map(([x, y]) => [x, y]);
  if (Array.isArray(before)) return points;
  const others = typeof before === "object" && before !== null ? before : {};
  return { ...others, points, interpolation: curve.interpolation };
}

/**
 * A curve with a point moved; the point stays between its neighbours, and the first and the last
 * stay at their ends.
 */
export function moved(curve: Curve, index: number, [x, y]: CurvePoint): Curve {
  const { points } = curve;
  const [before, after] = [points[index - 1], points[index + 1]];
  const own = points[index];
  if (own === undefined) return curve;
  const isEnd = before === undefined || after === undefined;
  const [least, most] = isEnd ? [own[0], own[0]] : [before[0] + APART, after[0] - APART];
  const at: CurvePoint = [
    tidy(Math.min(Math.max(x, least), most)),
    tidy(Math.min(Math.max(y, 0), 1)),
  ];
  return { ...curve, points: points.map((each, place) => (place === index ? at : each)) };
}

/** A curve with a point added, and the index of the point. */
export function added(curve: Curve, [x, y]: CurvePoint): { curve: Curve; index: number } | null {
  const index = curve.points.findIndex((each) => each[0] > x);
  const before = curve.points[index - 1];
  const after = curve.points[index];
  if (before === undefined || after === undefined) return null;
  if (x - before[0] < APART || after[0] - x < APART) return null;
  const points = [...curve.points];
  points.splice(index, 0, [tidy(x), tidy(Math.min(Math.max(y, 0), 1))]);
  return { curve: { ...curve, points }, index };
}

/** A curve with a point removed; the two ends stay. */
export function removed(curve: Curve, index: number): Curve {
  if (index <= 0 || index >= curve.points.length - 1) return curve;
  return { ...curve, points: curve.points.filter((_, place) => place !== index) };
}

function tidy(value: number): number {
  return Number(value.toFixed(DIGITS));
}

/** The height of the curve at `x`. */
export function heightAt({ points, interpolation }: Curve, x: number): number {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return x;
  if (x <= first[0]) return first[1];
  if (x >= last[0]) return last[1];
  const index = points.findIndex((each) => each[0] >= x);
  const [from, to] = [points[index - 1] ?? first, points[index] ?? last];
  const width = to[0] - from[0];
  const share = width === 0 ? 0 : (x - from[0]) / width;
  if (interpolation !== "monotone_cubic") return from[1] + share * (to[1] - from[1]);
  const tangents = tangentsOf(points);
  return hermite(
    share,
    from[1],
    to[1],
    width * (tangents[index - 1] ?? 0),
    width * (tangents[index] ?? 0),
  );
}

/** Slopes for which the curve does not overshoot between two points (Fritsch and Carlson 1980). */
function tangentsOf(points: readonly CurvePoint[]): number[] {
  const slopes = points.slice(1).map(([x, y], index) => {
    const [left, low] = points[index] ?? [0, 0];
    return x === left ? 0 : (y - low) / (x - left);
  });
  const tangents = points.map((_, index) => {
    const [before, after] = [slopes[index - 1], slopes[index]];
    if (before === undefined || after === undefined) return before ?? after ?? 0;
    return before * after <= 0 ? 0 : (before + after) / 2;
  });
  slopes.forEach((slope, index) => {
    const [one, other] = [tangents[index] ?? 0, tangents[index + 1] ?? 0];
    const steepness =
      slope === 0 ? Number.POSITIVE_INFINITY : Math.hypot(one, other) / Math.abs(slope);
    if (steepness <= 3) return;
    const factor = slope === 0 ? 0 : 3 / steepness;
    tangents[index] = one * factor;
    tangents[index + 1] = other * factor;
  });
  return tangents;
}

function hermite(at: number, from: number, to: number, leaving: number, arriving: number): number {
  const [square, cube] = [at * at, at * at * at];
  return (
    (2 * cube - 3 * square + 1) * from +
    (cube - 2 * square + at) * leaving +
    (-2 * cube + 3 * square) * to +
    (cube - square) * arriving
  );
}
