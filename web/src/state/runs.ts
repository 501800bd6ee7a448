/** What runs, what has run, and what each node shows of it. Outputs are no part of undo. */
import { create } from "zustand";
import type { ImageFile, Job, NodeProblems, Report } from "../api/client";
import type { Preview } from "../api/frames";
import type { Connection } from "../api/socket";
import type { ExecutionError, NodeProgress, ServerMessage } from "../api/types";

export interface NodeRun {
  state: "waiting" | "running" | "finished" | "cached" | "error";
  value: number;
  max: number;
  started: number;
  /** Milliseconds it took. */
  took: number | null;
}

export interface Shown {
  images: readonly ImageFile[];
  text: readonly string[];
}

export interface Running {
  prompt: string;
  tab: string;
  node: string | null;
  started: number;
}

interface Runs {
  connection: Connection;
  remaining: number;
  running: Running | null;
  /** A Run was pressed and the server has not answered yet. */
  sending: boolean;
  /** By `tab/node`; nodes inside a subgraph as prompts call them, `tab/12:5`. See `places.ts`. */
  nodes: Readonly<Record<string, NodeRun>>;
  previews: Readonly<Record<string, string>>;
  shown: Readonly<Record<string, Shown>>;
  failures: Readonly<Record<string, string>>;
  problems: Readonly<Record<string, Report>>;
  waiting: readonly Job[];
  past: readonly Job[];
  /** Which document each prompt of this page came from. */
  prompts: Readonly<Record<string, string>>;
}

const NOTED = 500;
const PROMPTS = "calotype.prompts";

export const useRuns = create<Runs>(() => ({
  connection: "connecting",
  remaining: 0,
  running: null,
  sending: false,
  nodes: {},
  previews: {},
  shown: {},
  failures: {},
  problems: {},
  waiting: [],
  past: [],
  prompts: keptPrompts(),
}));

function keptPrompts(): Record<string, string> {
  const kept = globalThis.sessionStorage?.getItem(PROMPTS);
  return kept == null ? {} : (JSON.parse(kept) as Record<string, string>);
}

/** Notes which document a prompt came from; known after a reload, too. */
export function notePrompt(prompt: string, tab: string): void {
  useRuns.setState(({ prompts }) => ({ prompts: { ...prompts, [prompt]: tab } }));
  const newest = Object.entries(useRuns.getState().prompts).slice(-NOTED);
  sessionStorage.setItem(PROMPTS, JSON.stringify(Object.fromEntries(newest)));
}

export function placeOf(tab: string, node: string): string {
  return `${tab}/${node}`;
}

export function hear(message: ServerMessage, now: number): void {
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
  useRuns.setState(({ nodes, failures }) => ({
    running: { prompt, tab, node: null, started },
    nodes: others(nodes),
    failures: others(failures),
  }));
}

function step(node: string): void {
  useRuns.setState(({ running }) =>
    running === null ? {} : { running: { ...running, node: node } },
  );
}

function mark(prompt: string, node: string, state: NodeRun["state"]): void {
  const tab = useRuns.getState().prompts[prompt];
  if (tab === undefined) return;
  const run: NodeRun = { state, value: 1, max: 1, started: 0, took: null };
  useRuns.setState(({ nodes }) => ({ nodes: { ...nodes, [placeOf(tab, node)]: run } }));
}

function progress(each: NodeProgress, now: number): void {
  const tab = useRuns.getState().prompts[each.prompt_id];
  if (tab === undefined) return;
  if (each.state === "running") resume(each, tab, now);
  const place = placeOf(tab, each.display_node_id);
  useRuns.setState(({ nodes, previews }) => {
    const before = nodes[place];
    const started = before?.state === "running" ? before.started : now;
    const over = each.state !== "running";
    const run: NodeRun = {
      state: each.state,
      value: each.value,
      max: each.max,
      started,
      took: over ? now - started : null,
    };
    return {
      nodes: { ...nodes, [place]: run },
      previews: over ? without(previews, place) : previews,
    };
  });
}

/** A run that began before this page was loaded. */
function resume({ prompt_id, display_node_id }: NodeProgress, tab: string, now: number): void {
  if (useRuns.getState().running !== null) return;
  const node = display_node_id;
  useRuns.setState({ running: { prompt: prompt_id, tab, node, started: now } });
}

function without(previews: Readonly<Record<string, string>>, place: string) {
  const { [place]: gone, ...others } = previews;
  if (gone !== undefined) URL.revokeObjectURL(gone);
  return gone === undefined ? previews : others;
}

export function seePreview({ node, prompt, image }: Preview): void {
  const { prompts, running } = useRuns.getState();
  const tab = prompt === null ? running?.tab : prompts[prompt];
  const key = node ?? running?.node;
  if (tab === undefined || key == null) return;
  const place = placeOf(tab, key);
  const url = URL.createObjectURL(image);
  useRuns.setState(({ previews }) => ({ previews: { ...without(previews, place), [place]: url } }));
}

function show(prompt: string, node: string, output: Record<string, unknown>): void {
  const tab = useRuns.getState().prompts[prompt];
  if (tab !== undefined) setShown(tab, node, output);
}

export function setShown(tab: string, node: string, output: Record<string, unknown>): void {
  const made: Shown = {
    images: Array.isArray(output.images) ? output.images.filter(isImage) : [],
    text: Array.isArray(output.text) ? output.text.map(String) : [],
  };
  if (made.images.length === 0 && made.text.length === 0) return;
  useRuns.setState(({ shown }) => ({ shown: { ...shown, [placeOf(tab, node)]: made } }));
}

export function isImage(value: unknown): value is ImageFile {
  return typeof value === "object" && value !== null && "filename" in value && "type" in value;
}

function fail(error: ExecutionError): void {
  const tab = useRuns.getState().prompts[error.prompt_id];
  if (tab === undefined) return;
  const place = placeOf(tab, error.node_id);
  mark(error.prompt_id, error.node_id, "error");
  useRuns.setState(({ failures }) => ({
    failures: { ...failures, [place]: error.exception_message.trim() },
  }));
  if (error.timestamp !== undefined) finish();
}

function finish(): void {
  useRuns.setState(({ previews, nodes }) => {
    for (const url of Object.values(previews)) URL.revokeObjectURL(url);
    const ended = Object.entries(nodes).map(([place, run]): [string, NodeRun] => [
      place,
      run.state === "running" ? { ...run, state: "waiting" } : run,
    ]);
    return { running: null, previews: {}, nodes: Object.fromEntries(ended) };
  });
}

/** The sentences that say what is wrong with a node. */
export function sentencesOf(problems: NodeProblems | undefined): string[] {
  return (problems?.errors ?? []).map(({ message, details, extra_info }) => {
    const input = extra_info?.input_name;
    const text = details && details !== input ? `${message}: ${details}` : message;
    return input && !text.includes(input) ? `${input}: ${text}` : text;
  });
}
