/** Parses single JSON values of a saved workflow, in all the forms that files use. */
import type { Point, Size } from "./graph";
import { isObject, type Json } from "./json";

export function listOf(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

export function isId(value: Json | undefined): value is number | string {
  return typeof value === "number" || typeof value === "string";
}

export function textOf(value: Json | undefined): string | null {
  return typeof value === "string" ? value : null;
}

/** A slot's type; in old files a list of choices means a combo, and 0 means any type. */
export function typeOf(value: Json | undefined): string {
  if (Array.isArray(value)) return "COMBO";
  if (value === 0 || value === "" || value == null) return "*";
  return String(value);
}

/** A pair of numbers: a list or, in old files, an object. */
function pairOf(value: Json | undefined): [number, number] {
  const pair = isObject(value) ? [value["0"], value["1"]] : listOf(value);
  return [Number(pair[0] ?? 0) || 0, Number(pair[1] ?? 0) || 0];
}

export function pointOf(value: Json | undefined): Point {
  const [x, y] = pairOf(value);
  return { x, y };
}

export function sizeOf(value: Json | undefined): Size {
  const [width, height] = pairOf(value);
  return { width, height };
}
