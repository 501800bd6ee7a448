/**
 * The server's plan of a run in words; and the progress of a run, weighted by the expected cost of
 * its nodes. Pure functions.
 */
import type { NodePlan, Plan } from "../../api/types";
import { bytesOf, spanOf } from "../../words/format";
import { t } from "../../words/words";

/** The plan's state for a visible node; an inner node counts for its instance. */
export function markOf(plan: Plan | undefined, node: string): NodePlan["state"] | null {
  if (plan === undefined) return null;
  const exact = plan.nodes[node];
  if (exact !== undefined) return exact.state;
  const inner = innerOf(plan, node).map(([, each]) => each.state);
  if (inner.length === 0) return null;
  const order = ["run", "maybe", "cached", "unneeded"] as const;
  return order.find((state) => inner.includes(state)) ?? null;
}

/** Expected seconds and bytes of a visible node. */
export function costOf(
  plan: Plan | undefined,
  node: string,
): { seconds: number | null; memory: number | null } {
  const parts =
    plan === undefined
      ? []
      : node in plan.nodes
        ? [plan.nodes[node]]
        : innerOf(plan, node).map(([, each]) => each);
  const seconds = parts.flatMap((each) => (each?.seconds == null ? [] : [each.seconds]));
  const memory = parts.flatMap((each) => (each?.memory == null ? [] : [each.memory]));
  return {
    seconds: seconds.length === 0 ? null : seconds.reduce((sum, each) => sum + each, 0),
    memory: memory.length === 0 ? null : Math.max(...memory),
  };
}

function innerOf(plan: Plan, node: string): [string, NodePlan][] {
  return Object.entries(plan.nodes).filter(([id]) => id.startsWith(`${node}:`));
}

/** "3 of 7 nodes will run, 4 cached", "about 12 s", "2.1 GB". */
export function wordsOf(plan: Plan): string[] {
  const needed = Object.values(plan.nodes).filter((each) => each.state !== "unneeded").length;
  if (needed === 0) return [];
  if (plan.run === 0)
    return [t("Nothing has changed: all {{count}} nodes are cached", { count: needed })];
  const words = [
    plan.cached === 0 && plan.run === needed
      ? t("{{count}} nodes will run", { count: plan.run })
      : t("{{run}} of {{count}} nodes will run, {{cached}} cached", {
          run: plan.run,
          count: needed,
          cached: plan.cached,
        }),
  ];
  if (plan.seconds === null) words.push(t("first run: time unknown"));
  else if (plan.unknown > 0) words.push(t("more than {{time}}", { time: spanOf(plan.seconds) }));
  else words.push(t("about {{time}}", { time: spanOf(plan.seconds) }));
  if (plan.memory !== null) words.push(bytesOf(plan.memory));
  return words;
}

/** The basis of the estimate, for a tooltip. */
export function reasonOf(plan: Plan): string {
  if (plan.run === 0) return t("The results of the last run are still valid.");
  if (plan.unknown === 0) return t("Estimated from past runs on this machine.");
  return t("Estimated from past runs on this machine; {{count}} nodes have not run yet.", {
    count: plan.unknown,
  });
}

/** The plan at the start of a run, with nodes that have been cached since it was made. */
export function settled(plan: Plan, cached: readonly string[]): Plan {
  const nodes = { ...plan.nodes };
  for (const id of cached) {
    const node = nodes[id];
    if (node !== undefined && node.state !== "unneeded") nodes[id] = { ...node, state: "cached" };
  }
  return { ...plan, nodes };
}

/** The progress of nodes, from 0 to 1 for a finished one. */
export type Shares = Readonly<Record<string, number>>;

/** A node without past runs gets the median cost of the others. */
function expectedCosts(plan: Plan): Map<string, number> {
  const running = Object.entries(plan.nodes).filter(([, each]) => each.state === "run");
  const pastTimes = running
    .flatMap(([, each]) => (each.seconds === null ? [] : [each.seconds]))
    .sort((one, other) => one - other);
  const middle = pastTimes[Math.floor(pastTimes.length / 2)] ?? 1;
  return new Map(running.map(([id, each]) => [id, Math.max(each.seconds ?? middle, 1e-3)]));
}

/** The progress of a run, from 0 to 1, weighted by expected cost. */
export function shareOf(plan: Plan, shares: Shares): number {
  let done = 0;
  let total = 0;
  for (const [id, weight] of expectedCosts(plan)) {
    total += weight;
    done += weight * Math.min(shares[id] ?? 0, 1);
  }
  return total === 0 ? 0 : done / total;
}

/**
 * The remaining seconds of a run; null where too little is known. A node with measured steps counts
 * by these: `left` gives their seconds.
 */
export function leftOf(
  plan: Plan,
  shares: Shares,
  left: Readonly<Record<string, number>> = {},
): number | null {
  let seconds = 0;
  for (const [id, { state, seconds: expected }] of Object.entries(plan.nodes)) {
    const share = shares[id] ?? 0;
    if (state !== "run" || share >= 1) continue;
    const own = left[id];
    if (own !== undefined) seconds += own;
    else if (expected === null) return null;
    else seconds += expected * (1 - share);
  }
  return seconds;
}

interface Steps {
  value: number;
  max: number;
  /** The time and number of the first step, as the time before it was spent on loading. */
  firstAt: number | null;
  firstValue: number;
  at: number;
}

/** Steps per second, from the steps so far; null before the second one. */
export function rateOf({ value, firstAt, firstValue, at }: Steps): number | null {
  if (firstAt === null || value <= firstValue || at <= firstAt) return null;
  return ((value - firstValue) * 1000) / (at - firstAt);
}

/** The remaining seconds of a node, from its own steps. */
export function stepsLeft(steps: Steps): number | null {
  const rate = rateOf(steps);
  return rate === null ? null : (steps.max - steps.value) / rate;
}
