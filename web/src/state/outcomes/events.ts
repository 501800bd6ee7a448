/** What the server reports of runs, put into their state. */
import type { Preview } from "../../api/frames";
import type { Executing, ExecutionError, NodeProgress, ServerMessage } from "../../api/types";
import { setting } from "../session/settings";
import { settled } from "./plan";
import {
  type ActiveRun,
  isIn,
  type NodeRun,
  outside,
  placeOf,
  type Runs,
  setShown,
  useRuns,
  visibleNode,
  without,
  withoutPreviews,
} from "./runs";

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
      skip(message.data.prompt_id, message.data.nodes);
      break;
    case "executing":
      execute(message.data);
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
      finish(message.data.prompt_id);
      break;
    case "execution_interrupted":
      finish(message.data.prompt_id);
      break;
    default:
      break;
  }
}

function change(prompt: string, changes: (run: ActiveRun) => Partial<ActiveRun>): void {
  useRuns.setState(({ active }) => {
    const run = active[prompt];
    return run === undefined
      ? {}
      : { active: { ...active, [prompt]: { ...run, ...changes(run) } } };
  });
}

function begin(prompt: string, tab: string, started: number, node: string | null): void {
  useRuns.setState(({ active, newest, submitted }) => {
    const plan = submitted[prompt]?.plan ?? null;
    const run: ActiveRun = { prompt, tab, node, started, plan, shares: {} };
    return { active: { ...active, [prompt]: run }, newest: { ...newest, [tab]: prompt } };
  });
}

/** Whether the nodes of its document show this run, and not one that began after it. */
function isShown(prompt: string, tab: string): boolean {
  const shown = useRuns.getState().newest[tab];
  return shown === undefined || shown === prompt;
}

function start(prompt: string, tab: string | undefined, started: number): void {
  if (tab === undefined) return;
  begin(prompt, tab, started, null);
  useRuns.setState(({ nodes, previews, failures, former, errors }) => ({
    stopping: null,
    nodes: outside(nodes, tab),
    previews: withoutPreviews(previews, tab),
    failures: outside(failures, tab),
    former: outside(former, tab),
    errors: outside(errors, tab),
  }));
}

function skip(prompt: string, cached: readonly string[]): void {
  for (const node of cached) mark(prompt, node, "cached");
  change(prompt, ({ plan }) => (plan === null ? {} : { plan: settled(plan, cached) }));
}

/** A message of an older server names no prompt: then it is about the only run, if there is one. */
function execute({ node, display_node, prompt_id }: Executing): void {
  const prompt = prompt_id ?? Object.keys(useRuns.getState().active)[0];
  if (prompt === undefined) return;
  if (node === null) finish(prompt);
  else change(prompt, () => ({ node: visibleNode(display_node ?? node) }));
}

function mark(prompt: string, node: string, state: NodeRun["state"]): void {
  const tab = useRuns.getState().prompts[prompt];
  if (tab === undefined || !isShown(prompt, tab)) return;
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
  const { prompt_id: prompt, real_node_id: real } = each;
  const { prompts, active } = useRuns.getState();
  const tab = prompts[prompt];
  if (tab === undefined) return;
  // A run that began before this page was loaded or connected.
  if (each.state === "running" && active[prompt] === undefined)
    begin(prompt, tab, now, visibleNode(each.display_node_id));
  const share = each.state === "finished" ? 1 : each.max > 0 ? each.value / each.max : 0;
  change(prompt, ({ shares }) => ({ shares: { ...shares, [real]: share } }));
  if (!isShown(prompt, tab)) return;
  const place = placeOf(tab, visibleNode(each.display_node_id));
  useRuns.setState(({ nodes, previews }) => ({
    nodes: { ...nodes, [place]: steppedTo(each, nodes[place], now) },
    previews: each.state === "running" ? previews : without(previews, place),
  }));
}

function steppedTo(each: NodeProgress, last: NodeRun | undefined, now: number): NodeRun {
  const before = last?.state === "running" ? last : undefined;
  const isOver = each.state !== "running";
  const stepped = before?.firstAt == null && each.value > 0 && !isOver;
  const started = before?.started ?? now;
  return {
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
}

export function addPreview({ node, prompt, image }: Preview): void {
  const { prompts, active } = useRuns.getState();
  const run = prompt === null ? Object.values(active)[0] : active[prompt];
  const tab = run?.tab ?? prompts[prompt ?? ""];
  const key = node ?? run?.node;
  if (tab === undefined || key == null || !isShown(prompt ?? run?.prompt ?? "", tab)) return;
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

/** An earlier run may fill a node whose result of the newest one is still to come. */
function show(prompt: string, node: string, output: Record<string, unknown>): void {
  const { prompts, newest, shown } = useRuns.getState();
  const tab = prompts[prompt];
  if (tab === undefined) return;
  const isReplaced = shown[placeOf(tab, visibleNode(node))]?.job === newest[tab];
  if (isShown(prompt, tab) || !isReplaced) setShown(tab, visibleNode(node), output, prompt);
}

function fail(error: ExecutionError): void {
  const { prompt_id: prompt, timestamp } = error;
  const tab = useRuns.getState().prompts[prompt];
  if (tab === undefined) return;
  if (isShown(prompt, tab)) {
    const place = placeOf(tab, visibleNode(error.node_id));
    mark(prompt, error.node_id, "error");
    useRuns.setState(({ failures, errors, submitted, failedIn }) => {
      const workflow = submitted[prompt]?.workflow;
      return {
        failures: { ...failures, [place]: error.exception_message.trim() },
        errors: { ...errors, [place]: error },
        failedIn: workflow === undefined ? failedIn : { ...failedIn, [tab]: workflow },
      };
    });
  }
  if (timestamp !== undefined) finish(prompt);
}

function recordSuccess(prompt: string): void {
  useRuns.setState(({ prompts, submitted, lastSuccessful }) => {
    const tab = prompts[prompt];
    const workflow = submitted[prompt]?.workflow;
    if (tab === undefined || workflow === undefined) return {};
    return { lastSuccessful: { ...lastSuccessful, [tab]: workflow } };
  });
}

function finish(prompt: string): void {
  useRuns.setState((state) => {
    const { [prompt]: over, ...active } = state.active;
    const { [prompt]: _over, ...submitted } = state.submitted;
    if (over === undefined || !isShown(prompt, over.tab)) return { active, submitted };
    return {
      active,
      submitted,
      stopping: null,
      previews: withoutPreviews(state.previews, over.tab),
      nodes: still(state.nodes, (place) => isIn(place, over.tab)),
    };
  });
}

/** No node of these runs any more. */
function still(nodes: Runs["nodes"], isOver: (place: string) => boolean): Runs["nodes"] {
  const all = Object.entries(nodes).map(([place, run]): [string, NodeRun] => [
    place,
    run.state === "running" && isOver(place) ? { ...run, state: "waiting" } : run,
  ]);
  return Object.fromEntries(all);
}

/** Clears the running state when the connection is lost, as the outcome is unknown. */
export function resetRunning(): void {
  useRuns.setState(({ previews, nodes }) => {
    for (const url of Object.values(previews)) URL.revokeObjectURL(url);
    return { active: {}, stopping: null, previews: {}, nodes: still(nodes, () => true) };
  });
}
