/** Run, stop, and what the server thinks of a document as one edits it. */
import { create } from "zustand";
import { socketUrl } from "../../api/client";
import { openSocket } from "../../api/socket";
import { HttpError } from "../../api/transport";
import type { Plan } from "../../api/types";
import { isObject, type Json, parseJson } from "../../document/json";
import { writeGraph } from "../../document/write";
import { t } from "../../words/words";
import { rollSeeds } from "../fields/rolling";
import { recordSeeds } from "../fields/seeds";
import { client, clientId } from "../server";
import { setting } from "../settings";
import { activeTab, type Tab, tabOf } from "../studio";
import { notify, notifyError, useView } from "../view";
import { checkAgain, recordCheck } from "./checking";
import { showNotices } from "./notices";
import { partOf } from "./part";
import { readQueue, useQueue } from "./queue";
import {
  addPreview,
  handleMessage,
  placeOf,
  recordPrompt,
  recordSubmitted,
  resetRunning,
  setShown,
  useRuns,
} from "./runs";
import { wholeSentence } from "./sentences";

const LISTED = 64;
const REFRESH_AFTER = 60;

interface RunOptions {
  /** Before all that waits. */
  front?: boolean;
  /** Run no further than these nodes; without it, every output. */
  targets?: readonly string[];
  /** How often, each time with the seeds rolled. */
  count?: number;
  /** Leave the seeds as they are: what runs by itself must come to rest. */
  keepSeeds?: boolean;
  /** Which document; the one shown when Run is pressed, where it is not said. */
  tab?: string;
}

/** What the user has chosen for the next runs, until the page is left. */
export const useRunOptions = create<{ count: number }>(() => ({ count: 1 }));

/** The last press of Run; the next one goes after it, so that they are queued in their order. */
let turn: Promise<void> = Promise.resolve();
/** In milliseconds: a request that stalls does not hold back the runs after it any longer. */
const PATIENCE = 3_000;
/** How many presses of Run are being handed in. */
let submitting = 0;

/** Rolls the seeds that ask for it, then hands the document in: the seed one sees is the one used. */
export function run(options: RunOptions = {}): Promise<void> {
  // Its turn may come, or its batch go on, when another document is shown.
  const tab = options.tab ?? activeTab().id;
  const before = turn;
  turn = waitForTurn(before).then(() => submitRuns({ ...options, tab }));
  return turn;
}

async function waitForTurn(before: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tired = new Promise<void>((done) => {
    timer = setTimeout(done, PATIENCE);
  });
  await Promise.race([before, tired]);
  clearTimeout(timer);
}

type Named = RunOptions & { tab: string };

async function submitRuns(options: Named): Promise<void> {
  if (useRuns.getState().connection !== "open") {
    notify(
      t(
        "The server is away, so nothing can run now. Your work is kept; Run again when it is back.",
      ),
    );
    return;
  }
  submitting += 1;
  useRuns.setState({ sending: true });
  try {
    const count = options.count ?? useRunOptions.getState().count;
    for (let done = 0; done < count; done += 1) {
      if (!(await submit(options))) return;
    }
  } catch (error) {
    notifyError(error);
  } finally {
    submitting -= 1;
    useRuns.setState({ sending: submitting > 0 });
  }
}

/** Whether it was handed in; where not, what is wrong is shown. */
async function submit({ tab: id, front, targets, keepSeeds }: Named): Promise<boolean> {
  const before = tabOf(id);
  if (before === undefined) return false;
  if (keepSeeds !== true) rollSeeds(before);
  const tab = tabOf(id) ?? before;
  const workflow = writeGraph(tab.workflow);
  let { prompt, report, plan } = await client.check(workflow);
  recordCheck(tab.id, { prompt, report, plan });
  let outputs: readonly string[] | undefined;
  if (targets !== undefined) {
    const part = partOf(prompt, targets);
    outputs = part.outputs;
    ({ prompt, report, plan } = await client.check(part.prompt, { targets: outputs }));
  }
  if (report.error !== null) {
    notifyRefusal(tab, wholeSentence(report) ?? report.error.message, targets !== undefined);
    return false;
  }
  const prompted = crypto.randomUUID();
  recordPrompt(prompted, tab.id);
  recordSubmitted(prompted, tab.workflow, plan);
  recordSeeds(tab, prompt);
  await client.submit({
    client: clientId,
    id: prompted,
    prompt,
    workflow,
    ...(front === undefined ? {} : { front }),
    ...(outputs === undefined ? {} : { targets: outputs }),
    about: { title: tab.name },
  });
  return true;
}

/** The list of problems is that of the document shown: what is wrong elsewhere is said. */
function notifyRefusal(tab: Tab, reason: string, isPart: boolean): void {
  if (tab.id !== activeTab().id) {
    notify(t("{{name}} was not run. {{reason}}", { name: tab.name, reason }));
    return;
  }
  useView.setState({ dock: "problems" });
  if (isPart) notify(reason);
}

let ranLast: unknown = null;

/** Runs a document that rests, where the user wants that and a run would change anything. */
export function runOnChange(tab: Tab, plan: Plan): void {
  const { remaining, running, sending } = useRuns.getState();
  if (!setting("calotype.runOnChange") || plan.run === 0 || tab.workflow === ranLast) return;
  if (remaining > 0 || running !== null || sending) return;
  ranLast = tab.workflow;
  void run({ count: 1, keepSeeds: true, tab: tab.id });
}

/** Stops what runs; what has not begun is taken out of the queue. */
export async function interrupt(): Promise<void> {
  const { running, waiting } = useRuns.getState();
  try {
    const next = waiting.find((each) => each.status === "pending");
    const works = running !== null || waiting.some((each) => each.status === "in_progress");
    if (!works && next !== undefined) {
      await client.removeFromQueue([next.id]);
      return;
    }
    useRuns.setState({ stopping: performance.now() });
    await client.interrupt(running?.prompt);
  } catch (error) {
    useRuns.setState({ stopping: null });
    notifyError(error);
  }
}

/** Hears the server until ended; reads the queue again whenever it changed. */
export function connect(): () => void {
  const url = socketUrl(clientId, window.location);
  let wasOpen = false;
  return openSocket(
    { url, parse: parseJson },
    {
      onMessage: (message) => {
        handleMessage(message, performance.now());
        if (message.type === "status") refreshSoon();
        if (ENDINGS.has(message.type)) checkAgain();
      },
      onPreview: addPreview,
      onConnection: (connection) => {
        useRuns.setState({ connection });
        if (connection === "open") void (wasOpen ? resync() : refreshJobs().then(showNotices));
        wasOpen ||= connection === "open";
        if (connection === "closed") resetRunning();
      },
    },
  );
}

const ENDINGS = new Set(["execution_success", "execution_error", "execution_interrupted"]);

/** The server is there, maybe another process than before: what it knows is asked anew. */
async function resync(): Promise<void> {
  checkAgain();
  await refreshJobs();
  await showNotices();
  await showLastResults(activeTab(), true);
}

let refreshing: ReturnType<typeof setTimeout> | undefined;

/** Where many changes come at once, they are read together. */
function refreshSoon(): void {
  if (refreshing !== undefined) return;
  refreshing = setTimeout(() => {
    refreshing = undefined;
    void refreshJobs();
  }, REFRESH_AFTER);
}

export async function refreshJobs(): Promise<void> {
  try {
    const [, { jobs: past }] = await Promise.all([
      readQueue(),
      client.history({}, { limit: LISTED }),
    ]);
    const { running, waiting } = useQueue.getState();
    useRuns.setState({ waiting: [...running, ...waiting], past });
    await import("../results/history").then((room) => room.historyChanged());
  } catch (error) {
    if (error instanceof HttpError) notifyError(error);
    // Without a server there is nothing to list; the socket says so.
  }
}

export async function cancelJob(id: string): Promise<void> {
  await attempt(() => client.cancelJobs([id]));
}

export async function cancelAll(): Promise<void> {
  await attempt(() => client.clearQueue());
  const running = useQueue.getState().running.map((job) => job.id);
  if (running.length > 0) await attempt(() => client.cancelJobs(running));
}

/** What runs goes on to its end; what waits is taken out. */
export async function stopAfterThis(): Promise<void> {
  await attempt(() => client.clearQueue());
}

async function attempt(doing: () => Promise<unknown>): Promise<void> {
  try {
    await doing();
  } catch (error) {
    notifyError(error);
  }
  await refreshJobs();
}

/** The workflow that a job came from, or null where it was handed in without one. */
export async function workflowOf(job: string): Promise<Json | null> {
  const { workflow } = await client.job(job);
  const found = workflow?.extra_data?.extra_pnginfo?.workflow as Json | undefined;
  return isObject(found) ? found : null;
}

/**
 * Puts the outputs of the newest finished job on the nodes of the tab it came from, by its id.
 * `isNews`: in place of what they show, as it may have ended unheard.
 */
export async function showLastResults(tab: Tab, isNews = false): Promise<void> {
  const wanted = tab.workflow.saved.id;
  const last = useRuns.getState().past.find((each) => each.status === "completed");
  if (last === undefined || typeof wanted !== "string") return;
  try {
    const { outputs, workflow } = await client.job(last.id);
    const made = workflow?.extra_data?.extra_pnginfo?.workflow as Json | undefined;
    if (!isObject(made) || made.id !== wanted) return;
    for (const [node, output] of Object.entries(outputs ?? {})) {
      const known = useRuns.getState().shown[placeOf(tab.id, node)];
      if ((isNews || known === undefined) && node in tab.workflow.nodes)
        setShown(tab.id, node, output);
    }
  } catch (error) {
    if (!(error instanceof HttpError)) notify(t("The last results could not be read."));
  }
}
