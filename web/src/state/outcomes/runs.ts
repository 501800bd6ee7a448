/**
 * The state of runs by their prompts, several of which may run at once; the history; and what each
 * node shows, which is of the newest run of its document. Outputs are not part of undo.
 */
import { create } from "zustand";
import type { ValidationReport } from "../../api/client";
import type { ListedJob } from "../../api/results";
import type { Connection } from "../../api/socket";
import type { ExecutionError, Plan } from "../../api/types";
import type { Workflow } from "../../document/graph";
import { type NodeOutputs, readOutputs } from "./outputs";
import type { Shares } from "./plan";

export interface NodeRun {
  state: "waiting" | "running" | "finished" | "cached" | "error";
  value: number;
  max: number;
  started: number;
  /** The time and number of its first step, as the time before it was spent on loading. */
  firstAt: number | null;
  firstValue: number;
  /** When its last event arrived. */
  at: number;
  /** Its duration in milliseconds. */
  duration: number | null;
  /** The worker's peak memory in bytes; null where not measured. */
  memory: number | null;
}

export interface ActiveRun {
  prompt: string;
  tab: string;
  node: string | null;
  started: number;
  /** The plan of the run; null for one that this page did not start. */
  plan: Plan | null;
  /** By id in the prompt, including inner nodes. */
  shares: Shares;
}

export interface Runs {
  connection: Connection;
  remaining: number;
  /** By prompt id, in the order of their start. */
  active: Readonly<Record<string, ActiveRun>>;
  /** The prompt of each document's newest run, which its nodes show. */
  newest: Readonly<Record<string, string>>;
  /** Whether a run was submitted and the server has not answered yet. */
  sending: boolean;
  /** The time of a requested interrupt that has not happened yet; null for none. */
  stopping: number | null;
  /** By `tab/node`; inner nodes by their ids in prompts, `tab/12:5`. See `places.ts`. */
  nodes: Readonly<Record<string, NodeRun>>;
  previews: Readonly<Record<string, string>>;
  shown: Readonly<Record<string, NodeOutputs>>;
  failures: Readonly<Record<string, string>>;
  /** Failures whose node, or anything upstream of it, was edited since. */
  former: Readonly<Record<string, string>>;
  /** The server's full report of a failure, by place. */
  errors: Readonly<Record<string, ExecutionError>>;
  /** Documents at the time their last run failed. */
  failedIn: Readonly<Record<string, Workflow>>;
  /** The plan of each document's next run. */
  plans: Readonly<Record<string, Plan>>;
  problems: Readonly<Record<string, ValidationReport>>;
  /** The submitted document and the plan of its run, by prompt id. */
  submitted: Readonly<Record<string, { workflow: Workflow; plan: Plan }>>;
  /** Documents at the time of their last successful run. */
  lastSuccessful: Readonly<Record<string, Workflow>>;
  unfinished: readonly ListedJob[];
  past: readonly ListedJob[];
  /** The document of each prompt that this page submitted. */
  prompts: Readonly<Record<string, string>>;
}

const MAX_RECORDED = 500;
const PROMPTS = "calotype.prompts";

export const useRuns = create<Runs>(() => ({
  connection: "connecting",
  remaining: 0,
  active: {},
  newest: {},
  sending: false,
  stopping: null,
  nodes: {},
  previews: {},
  shown: {},
  failures: {},
  former: {},
  errors: {},
  failedIn: {},
  plans: {},
  problems: {},
  submitted: {},
  lastSuccessful: {},
  unfinished: [],
  past: [],
  prompts: storedPrompts(),
}));

function storedPrompts(): Record<string, string> {
  const stored = globalThis.sessionStorage?.getItem(PROMPTS);
  return stored == null ? {} : (JSON.parse(stored) as Record<string, string>);
}

/** Records the document of a prompt; stored, so that it survives a reload. */
export function recordPrompt(prompt: string, tab: string): void {
  const newest = Object.entries(useRuns.getState().prompts).slice(1 - MAX_RECORDED);
  storePrompts({ ...Object.fromEntries(newest), [prompt]: tab });
}

function storePrompts(prompts: Readonly<Record<string, string>>): void {
  useRuns.setState({ prompts });
  sessionStorage.setItem(PROMPTS, JSON.stringify(prompts));
}

/** Records the submitted document and the plan of its run. */
export function recordSubmitted(prompt: string, workflow: Workflow, plan: Plan): void {
  useRuns.setState(({ submitted }) => {
    const newest = Object.entries(submitted).slice(1 - MAX_RECORDED);
    return { submitted: { ...Object.fromEntries(newest), [prompt]: { workflow, plan } } };
  });
}

export function placeOf(tab: string, node: string): string {
  return `${tab}/${node}`;
}

/** The newest run of a document that goes on; null for none. */
export function runOf({ active, newest }: Pick<Runs, "active" | "newest">, tab: string) {
  return (
    active[newest[tab] ?? ""] ?? Object.values(active).findLast((each) => each.tab === tab) ?? null
  );
}

/** The run that is shown beside a document: its own, else the one that began first. */
export function runBeside(state: Pick<Runs, "active" | "newest">, tab: string): ActiveRun | null {
  return runOf(state, tab) ?? Object.values(state.active)[0] ?? null;
}

/** The id of the temporary node that shows another node's result for one run. */
export function viewerOf(node: string): string {
  return `${node}${VIEWER}`;
}

const VIEWER = ":shown";

export function isViewer(id: string): boolean {
  return id.endsWith(VIEWER);
}

/** The visible node for an id. */
export function visibleNode(id: string): string {
  return isViewer(id) ? id.slice(0, -VIEWER.length) : id;
}

/** The entries by place that are of other documents. */
export function outside<Value>(
  all: Readonly<Record<string, Value>>,
  tab: string,
): Record<string, Value> {
  return omitted(all, (place) => isIn(place, tab));
}

export function isIn(place: string, tab: string): boolean {
  return place.startsWith(placeOf(tab, ""));
}

export function without(previews: Readonly<Record<string, string>>, place: string) {
  const { [place]: gone, ...others } = previews;
  if (gone !== undefined) URL.revokeObjectURL(gone);
  return gone === undefined ? previews : others;
}

export function withoutPreviews(previews: Readonly<Record<string, string>>, tab: string) {
  return Object.keys(previews)
    .filter((place) => isIn(place, tab))
    .reduce(without, previews);
}

export function setShown(
  tab: string,
  node: string,
  values: Record<string, unknown>,
  job?: string,
): void {
  const made = readOutputs(node, values);
  if (made === null) return;
  const output = job === undefined ? made : { ...made, job };
  useRuns.setState(({ shown }) => ({ shown: { ...shown, [placeOf(tab, node)]: output } }));
}

/** Removes what is stored of a document that was closed; its runs that go on keep their own state. */
export function forgetRuns(tab: string): void {
  const except = <Value>(all: Readonly<Record<string, Value>>) => omitted(all, (id) => id === tab);
  useRuns.setState((state) => ({
    nodes: outside(state.nodes, tab),
    previews: withoutPreviews(state.previews, tab),
    shown: outside(state.shown, tab),
    failures: outside(state.failures, tab),
    former: outside(state.former, tab),
    errors: outside(state.errors, tab),
    failedIn: except(state.failedIn),
    plans: except(state.plans),
    problems: except(state.problems),
    lastSuccessful: except(state.lastSuccessful),
    newest: except(state.newest),
    submitted: omitted(
      state.submitted,
      (prompt) => state.prompts[prompt] === tab && !(prompt in state.active),
    ),
  }));
}

function omitted<Value>(
  all: Readonly<Record<string, Value>>,
  isOut: (key: string) => boolean,
): Record<string, Value> {
  return Object.fromEntries(Object.entries(all).filter(([key]) => !isOut(key)));
}
