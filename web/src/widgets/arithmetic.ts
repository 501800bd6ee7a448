/**
 * Arithmetic in number fields: `512*2`, `(1024-64)/8`, `2^10`; an expression that begins with `*`,
 * `/`, `+=` or `-=` applies to the current value. Integer arithmetic is exact at any size.
 */
import { plainNumbers } from "../words/digits";

type Amount = number | bigint;

const TOKEN = /\s*(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+|\*\*|[-+*/%^()])/giy;

/**
 * The result; null for what is not an expression, and for one without a result (`1/0`). `isWhole`
 * says that the field takes only integers, which decides what `1.000` means in some languages.
 */
export function evaluateSum(typed: string, current: Amount, isWhole = false): Amount | null {
  const text = plainNumbers(typed.trim(), isWhole);
  const tokens = tokensOf(goingOn(text, current));
  if (tokens === null || tokens.length === 0) return null;
  const exact = tokens.every((each) => /^(\d+|[-+*()])$/.test(each));
  const result = exact ? sumOf(tokens, WHOLE) : sumOf(tokens, BROKEN);
  return typeof result === "number" && !Number.isFinite(result) ? null : result;
}

function goingOn(text: string, current: Amount): string {
  const assigned = /^([-+*/])=(.+)$/.exec(text) ?? /^([*/])(?!\*)(.+)$/.exec(text);
  if (assigned === null) return text;
  return `(${current})${assigned[1]}(${assigned[2]})`;
}

function tokensOf(text: string): string[] | null {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  let end = 0;
  for (let found = TOKEN.exec(text); found !== null; found = TOKEN.exec(text)) {
    tokens.push(found[1] === "**" ? "^" : (found[1] ?? ""));
    end = TOKEN.lastIndex;
  }
  return text.slice(end).trim() === "" ? tokens : null;
}

interface Kind<Value> {
  read: (digits: string) => Value;
  negate: (value: Value) => Value;
  apply: Readonly<Record<string, (one: Value, other: Value) => Value>>;
}

const BROKEN: Kind<number> = {
  read: Number,
  negate: (value) => -value,
  apply: {
    "+": (one, other) => one + other,
    "-": (one, other) => one - other,
    "*": (one, other) => one * other,
    "/": (one, other) => one / other,
    "%": (one, other) => one % other,
    "^": (one, other) => one ** other,
  },
};
const WHOLE: Kind<bigint> = {
  read: BigInt,
  negate: (value) => -value,
  apply: {
    "+": (one, other) => one + other,
    "-": (one, other) => one - other,
    "*": (one, other) => one * other,
  },
};
const LEVELS: readonly (readonly string[])[] = [["+", "-"], ["*", "/", "%"], ["^"]];

function sumOf<Value>(tokens: readonly string[], kind: Kind<Value>): Value | null {
  let place = 0;
  const level = (depth: number): Value | null => {
    if (depth === LEVELS.length) return factor();
    let value = level(depth + 1);
    for (;;) {
      const sign = tokens[place] ?? "";
      if (value === null || !LEVELS[depth]?.includes(sign)) return value;
      place += 1;
      // Powers are right-associative: 2^3^2 is 2^9.
      const other = level(sign === "^" ? depth : depth + 1);
      value = other === null ? null : (kind.apply[sign]?.(value, other) ?? null);
    }
  };
  const factor = (): Value | null => {
    const token = tokens[place] ?? "";
    place += 1;
    if (/^[\d.]/.test(token)) return kind.read(token);
    if (token === "+") return factor();
    if (token === "-") {
      const value = level(2);
      return value === null ? null : kind.negate(value);
    }
    if (token !== "(") return null;
    const inside = level(0);
    place += 1;
    return tokens[place - 1] === ")" ? inside : null;
  };
  const result = level(0);
  return place === tokens.length ? result : null;
}
