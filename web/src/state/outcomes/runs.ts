/**
 * The state of runs: the current run, the history, and each node's results. Outputs are not part of
 * undo.
 */
import { create } from "zustand";
import type { ValidationReport } from "../../api/client";
import type { Preview } from "../../api/frames";
import type { ListedJob } from "../../api/results";
import type { Connection } from "../../api/socket";
import type { ExecutionError, NodeProgress, Plan, ServerMessage } from "../../api/types";
import type { Workflow } from "../../document/graph";
import { setting } from "../session/settings";
import { type NodeOutputs, readOutputs } from "./outputs";
import { type Shares, settled } from "./plan";

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

interface Runs {
  connection: Connection;
  remaining: number;
  running: ActiveRun | null;
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
  running: null,
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
  useRuns.setState(({ prompts }) => ({ prompts: { ...prompts, [prompt]: tab } }));
  const newest = Object.entries(useRuns.getState().prompts).slice(-MAX_RECORDED);
  sessionStorage.setItem(PROMPTS, JSON.stringify(Object.fromEntries(newest)));
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

/** The id of the temporary node that shows another node's result for one run. */
export function viewerOf(node: string): string {
  return `${node}${VIEWER}`;
}

const VIEWER = ":shown";

export function isViewer(id: string): boolean {
  return id.endsWith(VIEWER);
}

/** The visible node for an id. */
function visibleNode(id: string): string {
  return isViewer(id) ? id.slice(0, -VIEWER.length) : id;
}

export function handleMessage(message: ServerMessage, now: number): void {
  const { prompts } = useRuns.getState();
  switch (message.type) {
    case "status":
      useRuns.setState({ remaining: message.data.status.exec_info.queue_remaining });
      break;
    case "execution_start":
      start(message.data.prompt_id, prompts[message.data.prompt_id], now);
      break;
    case "execution_cached":
      for (const node of message.data.nodes) mark(message.data.prompt_id, node, "cached");
      useRuns.setState(({ running }) =>
        running?.plan == null
          ? {}
          : { running: { ...running, plan: settled(running.plan, message.data.nodes) } },
      );
      break;
    case "executing":
      if (message.data.node === null) finish();
      else step(message.data.display_node ?? message.data.node);
      break;
    case "progress_state":
      for (const each of Object.values(message.data.nodes)) progress(each, now);
      break;
    case "executed":
      show(message.data.prompt_id, message.data.display_node, message.data.output ?? {});
      break;
    case "execution_error":
      fail(message.data);
      break;
    case "execution_success":
      recordSuccess(message.data.prompt_id);
      finish();
      break;
    case "execution_interrupted":
      finish();
      break;
    default:
      break;
  }
}

function start(prompt: string, tab: string | undefined, started: number): void {
  if (tab === undefined) return;
  const others = <Value>(all: Readonly<Record<string, Value>>) =>
    Object.fromEntries(Object.entries(all).filter(([place]) => !place.startsWith(`${tab}/`)));
  useRuns.setState(({ nodes, failures, former, errors, submitted }) => ({
    running: {
      prompt,
      tab,
      node: null,
      started,
      plan: submitted[prompt]?.plan ?? null,
      shares: {},
    },
    stopping: null,
    nodes: others(nodes),
    failures: others(failures),
    former: others(former),
    errors: others(errors),
  }));
}

function step(node: string): void {
  useRuns.setState(({ running }) =>
    running === null ? {} : { running: { ...running, node: visibleNode(node) } },
  );
}

function mark(prompt: string, node: string, state: NodeRun["state"]): void {
  const tab = useRuns.getState().prompts[prompt];
  if (tab === undefined) return;
  const run: NodeRun = { ...NOT_RUN, state };
  useRuns.setState(({ nodes }) => ({
    nodes: { ...nodes, [placeOf(tab, visibleNode(node))]: run },
  }));
}

const NOT_RUN: Omit<NodeRun, "state"> = {
  value: 1,
  max: 1,
  started: 0,
  firstAt: null,
  firstValue: 0,
  at: 0,
  duration: null,
  memory: null,
};

function progress(each: NodeProgress, now: number): void {
  const tab = useRuns.getState().prompts[each.prompt_id];
  if (tab === undefined) return;
  if (each.state === "running") resume(each, tab, now);
  const place = placeOf(tab, visibleNode(each.display_node_id));
  const share = each.state === "finished" ? 1 : each.max > 0 ? each.value / each.max : 0;
  useRuns.setState(({ nodes, previews, running }) => {
    const before = nodes[place]?.state === "running" ? nodes[place] : undefined;
    const isOver = each.state !== "running";
    const stepped = before?.firstAt == null && each.value > 0 && !isOver;
    const started = before?.started ?? now;
    const run: NodeRun = {
      state: each.state,
      value: each.value,
      max: each.max,
      started,
      firstAt: stepped ? now : (before?.firstAt ?? null),
      firstValue: stepped ? each.value : (before?.firstValue ?? 0),
      at: now,
      duration: isOver ? (each.seconds === undefined ? now - started : each.seconds * 1000) : null,
      memory: each.memory ?? null,
    };
    return {
      nodes: { ...nodes, [place]: run },
      previews: isOver ? without(previews, place) : previews,
      running:
        running === null
          ? null
          : { ...running, shares: { ...running.shares, [each.real_node_id]: share } },
    };
  });
}

/** Shows a run that began before this page was loaded or connected. */
function resume({ prompt_id, display_node_id }: NodeProgress, tab: string, now: number): void {
  const { running, submitted } = useRuns.getState();
  if (running !== null) return;
  const node = visibleNode(display_node_id);
  const plan = submitted[prompt_id]?.plan ?? null;
  useRuns.setState({
    running: { prompt: prompt_id, tab, node, started: now, plan, shares: {} },
  });
}

function without(previews: Readonly<Record<string, string>>, place: string) {
  const { [place]: gone, ...others } = previews;
  if (gone !== undefined) URL.revokeObjectURL(gone);
  return gone === undefined ? previews : others;
}

export function addPreview({ node, prompt, image }: Preview): void {
  const { prompts, running } = useRuns.getState();
  const tab = prompt === null ? running?.tab : prompts[prompt];
  const key = node ?? running?.node;
  if (tab === undefined || key == null) return;
  const place = placeOf(tab, visibleNode(key));
  if (!isDue(place)) return;
  const url = URL.createObjectURL(image);
  useRuns.setState(({ previews }) => ({ previews: { ...without(previews, place), [place]: url } }));
}

let lastPreview: { place: string; at: number } = { place: "", at: 0 };

/** Whether the next preview may be drawn, by the user's rate limit. */
function isDue(place: string): boolean {
  const rate = setting("calotype.previewRate");
  const now = performance.now();
  if (rate <= 0) return false;
  if (lastPreview.place === place && now - lastPreview.at < 900 / rate) return false;
  lastPreview = { place, at: now };
  return true;
}

function show(prompt: string, node: string, output: Record<string, unknown>): void {
  const tab = useRuns.getState().prompts[prompt];
  if (tab !== undefined) setShown(tab, visibleNode(node), output, prompt);
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

function fail(error: ExecutionError): void {
  const tab = useRuns.getState().prompts[error.prompt_id];
  if (tab === undefined) return;
  const place = placeOf(tab, visibleNode(error.node_id));
  mark(error.prompt_id, error.node_id, "error");
  useRuns.setState(({ failures, errors, submitted, failedIn }) => {
    const workflow = submitted[error.prompt_id]?.workflow;
    return {
      failures: { ...failures, [place]: error.exception_message.trim() },
      errors: { ...errors, [place]: error },
      failedIn: workflow === undefined ? failedIn : { ...failedIn, [tab]: workflow },
    };
  });
  if (error.timestamp !== undefined) finish();
}

function recordSuccess(prompt: string): void {
  useRuns.setState(({ prompts, submitted, lastSuccessful }) => {
    const tab = prompts[prompt];
    const workflow = submitted[prompt]?.workflow;
    if (tab === undefined || workflow === undefined) return {};
    return { lastSuccessful: { ...lastSuccessful, [tab]: workflow } };
  });
}

function finish(): void {
  useRuns.setState((state) => {
    const { [state.running?.prompt ?? ""]: _over, ...pending } = state.submitted;
    return { ...withoutRun(state), submitted: pending };
  });
}

/** Clears the running state when the connection is lost, as the outcome is unknown. */
export function resetRunning(): void {
  useRuns.setState(withoutRun);
}

function withoutRun({ previews, nodes }: Runs): Partial<Runs> {
  for (const url of Object.values(previews)) URL.revokeObjectURL(url);
  const ended = Object.entries(nodes).map(([place, run]): [string, NodeRun] => [
    place,
    run.state === "running" ? { ...run, state: "waiting" } : run,
  ]);
  return { running: null, stopping: null, previews: {}, nodes: Object.fromEntries(ended) };
}
