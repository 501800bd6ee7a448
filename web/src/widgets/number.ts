/** Numbers as fields show, parse and step them. Seeds can exceed JavaScript's safe integers. */
import { evaluateSum } from "./arithmetic";

export type Whole = number | bigint;

export interface Range {
  min: Whole;
  max: Whole;
  step: number;
  whole: boolean;
  /** The value is rounded to a multiple of this; 0 for no rounding. */
  round?: number;
}

/** The size of a step: fine with Shift, coarse with Ctrl (or the page keys). */
export type Pace = "fine" | "normal" | "coarse";

const COARSE = 10;
const NEAR = 200;

function clamped(value: Whole, { min, max, whole }: Range): Whole {
  const inside = value < min ? min : value > max ? max : value;
  if (!whole || typeof inside === "bigint") return inside;
  return Math.round(inside);
}

/** `count` steps on from a value; exact for integers of any size. */
export function stepped(value: Whole, count: number, range: Range, pace: Pace = "normal"): Whole {
  if (range.whole) {
    const step = pace === "fine" ? 1 : Math.max(1, Math.round(range.step));
    const by = BigInt(Math.round(count * (pace === "coarse" ? COARSE : 1))) * BigInt(step);
    return plainOf(clamped(wholeOf(value) + by, range));
  }
  const step = range.step * (pace === "fine" ? 1 / COARSE : pace === "coarse" ? COARSE : 1);
  const moved = Number(value) + count * step;
  const digits = digitsOf(range.step) + (pace === "fine" ? 1 : 0);
  return clamped(rounded(Number(moved.toFixed(digits)), range), range);
}

/**
 * A value from a file may be a fraction, infinite or not a number: the nearest integer to step
 * from.
 */
function wholeOf(value: Whole): bigint {
  if (typeof value === "bigint") return value;
  return BigInt(Number.isFinite(value) ? Math.round(value) : 0);
}

/** The value at a share of the whole range, rounded to a step. */
export function valueAt(share: number, range: Range): Whole {
  const [least, most] = [Number(range.min), Number(range.max)];
  const inside = least + Math.min(Math.max(share, 0), 1) * (most - least);
  const steps = Math.round((inside - least) / range.step);
  return clamped(Number((least + steps * range.step).toFixed(digitsOf(range.step))), range);
}

/** The position of a value in its range, from 0 to 1. */
export function shareOf(value: Whole, { min, max }: Range): number {
  const [least, most] = [Number(min), Number(max)];
  return most > least ? Math.min(Math.max((Number(value) - least) / (most - least), 0), 1) : 0;
}

/** Whether the range is small enough for a slider to be of use. */
export function hasNearEnds({ min, max, step }: Range): boolean {
  return (Number(max) - Number(min)) / step <= NEAR;
}

/** The typed number within its limits; null if it is not a number. Expressions are evaluated. */
export function typedNumber(text: string, range: Range, current: Whole = 0): Whole | null {
  const value = amountOf(text, range, current);
  return value === null ? null : clamped(rounded(value, range), range);
}

function amountOf(text: string, range: Range, current: Whole): Whole | null {
  const value = evaluateSum(text, current, range.whole);
  if (value === null || typeof value === "number") return value;
  return range.whole ? plainOf(value) : Number(value);
}

/** The limit that the typed number violates. */
export type Limit = "no number" | "too small" | "too large" | "rounded";

/** Why a typed number would not be taken as it is; null if it would. */
export function limitOf(text: string, range: Range, current: Whole = 0): Limit | null {
  if (text.trim() === "") return null;
  const value = amountOf(text, range, current);
  if (value === null) return "no number";
  if (value < range.min) return "too small";
  if (value > range.max) return "too large";
  const whole = range.whole && typeof value === "number" && !Number.isInteger(value);
  return whole || rounded(value, range) !== value ? "rounded" : null;
}

function rounded(value: Whole, { round = 0, whole }: Range): Whole {
  if (round <= 0 || whole || typeof value === "bigint") return value;
  return Number((Math.round(value / round) * round).toFixed(digitsOf(round)));
}

export function shownNumber(value: unknown, { whole, step }: Range): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "number") return String(value ?? "");
  if (whole) return String(value);
  const digits = Math.max(digitsOf(step), 1);
  return Number.isInteger(Number((value * 10 ** digits).toPrecision(15)))
    ? value.toFixed(digits)
    : String(value);
}

function digitsOf(step: number): number {
  const exponent = /e-(\d+)$/.exec(step.toString());
  if (exponent !== null) return Math.min(Number(exponent[1]), 6);
  const [, decimals = ""] = step.toString().split(".");
  return Math.min(decimals.length, 6);
}

function plainOf(value: Whole): Whole {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
