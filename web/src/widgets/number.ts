/** Numbers as fields show, read and step them. Seeds are larger than JavaScript's numbers. */

export type Whole = number | bigint;

export interface Range {
  min: Whole;
  max: Whole;
  step: number;
  whole: boolean;
}

export function clamped(value: Whole, { min, max, whole }: Range): Whole {
  const inside = value < min ? min : value > max ? max : value;
  if (!whole || typeof inside === "bigint") return inside;
  return Math.round(inside);
}

/** `count` steps on from a value; exact for integers of any size. */
export function stepped(value: Whole, count: number, range: Range): Whole {
  if (range.whole) {
    const moved = BigInt(value) + BigInt(count) * BigInt(Math.max(1, Math.round(range.step)));
    return plainOf(clamped(moved, range));
  }
  const moved = Number(value) + count * range.step;
  const digits = digitsOf(range.step);
  return clamped(Number(moved.toFixed(digits)), range);
}

/** What was typed; null where it is no number. Simple sums are worked out: `512*2`, `1024/3`. */
export function typedNumber(text: string, range: Range): Whole | null {
  const trimmed = text.trim().replace(",", ".");
  if (/^-?\d+$/.test(trimmed)) {
    const exact = plainOf(BigInt(trimmed));
    return clamped(range.whole ? exact : Number(exact), range);
  }
  const sum = /^(-?[\d.]+)\s*([-+*/])\s*([\d.]+)$/.exec(trimmed);
  const value = sum === null ? Number(trimmed) : worked(Number(sum[1]), sum[2], Number(sum[3]));
  if (trimmed === "" || !Number.isFinite(value)) return null;
  return clamped(value, range);
}

function worked(one: number, sign: string | undefined, other: number): number {
  if (sign === "+") return one + other;
  if (sign === "-") return one - other;
  return sign === "*" ? one * other : one / other;
}

export function shownNumber(value: unknown, { whole, step }: Range): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "number") return String(value ?? "");
  if (whole) return String(value);
  const digits = Math.max(digitsOf(step), 1);
  return Number.isInteger(value * 10 ** digits) ? value.toFixed(digits) : String(value);
}

function digitsOf(step: number): number {
  const [, decimals = ""] = step.toString().split(".");
  return Math.min(decimals.length, 6);
}

function plainOf(value: Whole): Whole {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
