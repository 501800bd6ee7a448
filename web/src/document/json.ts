/**
 * Lossless JSON: whole numbers beyond 2^53 become `bigint` and are written back unchanged. Python
 * writes bare `NaN` and `Infinity`; both are read, and written as `null`.
 */

export type Json = null | boolean | number | bigint | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

/** Outside of strings: numbers, and Python's words for values that are not numbers. */
const NUMBERS = /-?\d[\d.]*(?:[eE][+-]?\d+)?|-?\bInfinity\b|\bNaN\b/g;
const NEEDS_CARE = /^(?:-?\d{16,}|-?Infinity|NaN)$/;
const MAY_NEED_CARE = /\d{16}|Infinity|NaN/;

/** Throws a `SyntaxError` for text that is not JSON. */
export function parseJson(text: string): Json {
  if (!MAY_NEED_CARE.test(text)) return parsed(text);
  const tag = tagAbsentFrom(text);
  let tagged = false;
  const prepared = outsideStrings(text, (part) =>
    part.replace(NUMBERS, (token) => {
      if (!NEEDS_CARE.test(token)) return token;
      tagged = true;
      return `"${tag}${token}"`;
    }),
  );
  if (!tagged) return parsed(text);
  return parsed(prepared, (_key, value: unknown) =>
    typeof value === "string" && value.startsWith(tag) ? numberOf(value.slice(tag.length)) : value,
  );
}

function parsed(text: string, revive?: (key: string, value: unknown) => unknown): Json {
  try {
    return JSON.parse(text, revive) as Json;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SyntaxError("nested too deeply to be read");
  }
}

/**
 * Replaces each part of the text outside of strings. Without a regular expression for whole
 * strings, as that overflows the stack on strings of some megabytes.
 */
function outsideStrings(text: string, replace: (part: string) => string): string {
  const parts: string[] = [];
  let place = 0;
  while (place < text.length) {
    const open = text.indexOf('"', place);
    if (open < 0) break;
    const end = endOfString(text, open);
    parts.push(replace(text.slice(place, open)), text.slice(open, end));
    place = end;
  }
  parts.push(replace(text.slice(place)));
  return parts.join("");
}

/** The index after the quote that ends a string; the text's length where there is none. */
function endOfString(text: string, open: number): number {
  for (let quote = text.indexOf('"', open + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let before = quote;
    while (text[before - 1] === "\\") before -= 1;
    if ((quote - before) % 2 === 0) return quote + 1;
  }
  return text.length;
}

function numberOf(token: string): number | bigint {
  const number = Number(token);
  return !Number.isFinite(number) || Number.isSafeInteger(number) ? number : BigInt(token);
}

/** `undefined` members are left out, as by `JSON.stringify`. */
export function writeJson(value: unknown, indent?: number): string {
  try {
    // The fast path without a check of each value: most documents hold no large number.
    return JSON.stringify(value, undefined, indent);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return writeWithBigints(value, indent);
  }
}

function writeWithBigints(value: unknown, indent: number | undefined): string {
  const plain = JSON.stringify(
    value,
    (_key, each: unknown) => (typeof each === "bigint" ? each.toString() : each),
    indent,
  );
  const tag = tagAbsentFrom(plain);
  const tagged = JSON.stringify(
    value,
    (_key, each: unknown) => (typeof each === "bigint" ? `${tag}${each}` : each),
    indent,
  );
  return tagged.replace(new RegExp(`"${tag}(-?\\d+)"`, "g"), "$1");
}

function tagAbsentFrom(text: string): string {
  let tag = "number:";
  while (text.includes(tag)) tag = `~${tag}`;
  return tag;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Deep equality of JSON values; the order of an object's members does not matter. */
export function equalJson(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((each, index) => equalJson(each, other[index]));
  }
  if (!isObject(one) || !isObject(other)) return false;
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => key in other && equalJson(one[key], other[key]))
  );
}
