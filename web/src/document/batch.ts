/** A batch of runs: axes, each a widget with its values, and every combination of these values. */
import { setValue } from "./edit";
import type { Draft, WidgetSlot } from "./graph";
import type { Json } from "./json";
import { UserError } from "./userError";

export interface Axis {
  node: string;
  name: string;
  values: readonly Json[];
}

export interface BatchRun {
  /** The index of the value on each axis. */
  at: readonly number[];
  values: readonly { node: string; name: string; value: Json }[];
}

export class InvalidValuesError extends UserError {}

/** All combinations; the first axis varies fastest. */
export function expand(axes: readonly Axis[]): BatchRun[] {
  return axes.reduceRight<BatchRun[]>(
    (runs, { node, name, values }) =>
      runs.flatMap((run) =>
        values.map((value, index) => ({
          at: [index, ...run.at],
          values: [{ node, name, value }, ...run.values],
        })),
      ),
    [{ at: [], values: [] }],
  );
}

export function countRuns(axes: readonly Axis[]): number {
  return axes.reduce((count, { values }) => count * values.length, 1);
}

export function applyRun(
  draft: Draft,
  run: BatchRun,
  layoutOfNode: (type: string) => readonly WidgetSlot[] | undefined,
): void {
  for (const { node, name, value } of run.values) {
    setValue(draft, node, name, value, layoutOfNode(draft.nodes[node]?.type ?? "") ?? []);
  }
}

const MAX_STEPS = 1_000;

/** From one number to another, both included, rounded so that no binary rounding error shows. */
export function stepsBetween(from: number, to: number, step: number): number[] {
  if (![from, to, step].every(Number.isFinite) || step === 0) {
    throw new InvalidValuesError("A range needs a start, an end and a step that is not 0.");
  }
  const stride = Math.abs(step) * (to < from ? -1 : 1);
  const count = Math.floor((to - from) / stride + 1e-9) + 1;
  if (count > MAX_STEPS) {
    throw new InvalidValuesError("This range has {{found}} values; the maximum is {{most}}.", {
      found: count,
      most: MAX_STEPS,
    });
  }
  const digits = Math.max(digitsOf(from), digitsOf(step));
  return Array.from({ length: count }, (_, index) =>
    Number((from + index * stride).toFixed(digits)),
  );
}

function digitsOf(value: number): number {
  const text = String(value);
  const [, power = "0"] = /e-(\d+)$/.exec(text) ?? [];
  const [, fraction = ""] = /\.(\d+)/.exec(text) ?? [];
  return Math.min(fraction.length + Number(power), 20);
}

/** Seeds that count up, or come from the generator; without duplicates. */
export function seedsFrom(
  count: number,
  order: "random" | "increment",
  first: bigint,
  random: () => bigint,
): bigint[] {
  if (order === "increment") {
    return Array.from({ length: count }, (_, index) => BigInt.asUintN(64, first + BigInt(index)));
  }
  const seeds = new Set<bigint>();
  while (seeds.size < count) seeds.add(random());
  return [...seeds];
}

/**
 * Parses typed values. Numbers: `4, 5.5, 7` and ranges `4..9` or `4..9 step 0.5`. Texts: one per
 * line.
 */
export function readValues(text: string, kind: "whole" | "number" | "text" | "yes"): Json[] {
  if (kind === "text") return text.split("\n").filter((line) => line.trim() !== "");
  const parts = text
    .split(/[,;\n]/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
  if (kind === "yes") return parts.map(truth);
  return parts.flatMap((part): Json[] => {
    const range = /^(-?[\d.]+)\s*\.\.\s*(-?[\d.]+?)(?:\s+step\s+([\d.]+))?$/.exec(part);
    if (range !== null) {
      const [, from, to, step = "1"] = range;
      return stepsBetween(Number(from), Number(to), Number(step));
    }
    return [numberIn(part, kind)];
  });
}

function numberIn(part: string, kind: "whole" | "number"): Json {
  if (kind === "whole" && /^-?\d+$/.test(part)) {
    const exact = BigInt(part);
    return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
  }
  const number = Number(part);
  if (kind === "whole" || !Number.isFinite(number)) {
    throw new InvalidValuesError(
      kind === "whole" ? "{{text}} is not a whole number." : "{{text}} is not a number.",
      { text: part },
    );
  }
  return number;
}

function truth(part: string): boolean {
  if (/^(true|yes|on|1)$/i.test(part)) return true;
  if (/^(false|no|off|0)$/i.test(part)) return false;
  throw new InvalidValuesError("{{text}} is neither yes nor no.", { text: part });
}
