/** Running and interrupting, and the connection to the server. */

import { create } from "zustand";
import { socketUrl } from "../../api/client";
import type { JobDetail } from "../../api/jobs";
import { openSocket } from "../../api/socket";
import { HttpError } from "../../api/transport";
import type { DownloadsChanged, Logs, Plan } from "../../api/types";
import { isObject, type Json, parseJson } from "../../document/json";
import { graphsOf } from "../../document/levels";
import { writeGraph } from "../../document/write";
import { t } from "../../words/words";
import { rollSeeds, rolls } from "../fields/rolling";
import { recordSeeds } from "../fields/seeds";
import { isView } from "../nodes/fieldTypes";
import { addPreview, handleMessage, resetRunning } from "../outcomes/events";
import { refreshJobs } from "../outcomes/jobs";
import { useQueue } from "../outcomes/queue";
import {
  placeOf,
  recordPrompt,
  recordSubmitted,
  runBeside,
  setShown,
  useRuns,
} from "../outcomes/runs";
import { wholeSentence } from "../outcomes/sentences";
import { Editor } from "../session/editor";
import { client, clientId } from "../session/server";
import { setting } from "../session/settings";
import { schemaOf, type Tab, tabOf, useStudio } from "../session/studio";
import { notify, notifyError, useView } from "../session/view";
import { checkAgain, recordCheck } from "./checking";
import { showNotices } from "./notices";
import { partOf } from "./part";

const REFRESH_DELAY = 60;

interface RunOptions {
  /** Before all pending jobs. */
  front?: boolean;
  /** Run up to these nodes only; without it, every output. */
  targets?: readonly string[];
  /** The number of runs; seeds advance before each. */
  count?: number;
  /** Give fixed seeds another value, too. */
  newSeeds?: boolean;
  /** Do not advance seeds, as automatic runs must come to an end. */
  keepSeeds?: boolean;
}

/** The user's choices for the next runs, until the page is closed. */
export const useRunOptions = create<{ count: number }>(() => ({ count: 1 }));

/** The last request to run; the next one follows it, so that jobs are queued in order. */
let lastRequest: Promise<void> = Promise.resolve();
/** In milliseconds: a stalled request delays the following runs no longer than this. */
const REQUEST_TIMEOUT = 3_000;
/** The number of requests to run that are being submitted. */
let submitting = 0;

/**
 * Advances controlled seeds, then submits the document, so that the visible seed is the one used.
 */
export function run(editor: Editor, options: RunOptions = {}): Promise<void> {
  const before = lastRequest;
  lastRequest = waitForPrevious(before).then(() => submitRuns(editor, options));
  return lastRequest;
}

async function waitForPrevious(before: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((done) => {
    timer = setTimeout(done, REQUEST_TIMEOUT);
  });
  await Promise.race([before, timeout]);
  clearTimeout(timer);
}

async function submitRuns(editor: Editor, options: RunOptions): Promise<void> {
  if (useRuns.getState().connection !== "open") {
    notify(
      t(
        "The server cannot be reached, so nothing can run now. Your work is kept; run again when the server is back.",
      ),
    );
    return;
  }
  submitting += 1;
  useRuns.setState({ sending: true });
  try {
    const count = options.count ?? useRunOptions.getState().count;
    const isSame = count > 1 && useRuns.getState().plans[editor.tab.id]?.run === 0;
    for (let done = 0; done < count; done += 1) {
      if (!(await submit(editor, options, done > 0 || isSame))) return;
    }
  } catch (error) {
    notifyError(error);
  } finally {
    submitting -= 1;
    useRuns.setState({ sending: submitting > 0 });
  }
}

/** Whether any node of a document takes pictures of the camera. */
function usesCamera({ workflow }: Tab): boolean {
  return graphsOf(workflow).some(({ nodes }) =>
    Object.values(nodes).some(({ type }) =>
      schemaOf(type)?.inputs.some((each) => each.type === "WEBCAM"),
    ),
  );
}

/**
 * Whether it was submitted; otherwise the problems are shown. A run that `repeats` another gets its
 * own seed even where all are fixed: it would make the same again.
 */
async function submit(
  editor: Editor,
  { front, targets, keepSeeds, newSeeds = false }: RunOptions,
  repeats: boolean,
): Promise<boolean> {
  const before = tabOf(editor.id);
  if (before === undefined) return false;
  if (usesCamera(before)) await (await import("../fields/camera")).capturePictures(before);
  if (keepSeeds !== true)
    rollSeeds(editor, before, newSeeds || (repeats && !rolls(before.workflow)));
  const tab = tabOf(editor.id) ?? before;
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
    notifyRefusal(
      editor,
      tab,
      wholeSentence(report) ?? report.error.message,
      targets !== undefined,
    );
    return false;
  }
  if (hasModelViews(prompt)) {
    const { withModelPictures } = await import("./modelPictures");
    prompt = await withModelPictures(prompt);
  }
  const promptId = crypto.randomUUID();
  recordPrompt(promptId, tab.id);
  recordSubmitted(promptId, tab.workflow, plan);
  if (tabOf(editor.id) !== undefined) recordSeeds(tab, prompt);
  await client.submit({
    client: clientId,
    id: promptId,
    prompt,
    workflow,
    ...(front === undefined ? {} : { front }),
    ...(outputs === undefined ? {} : { targets: outputs }),
    about: { title: tab.name },
    metadata: setting("calotype.metadata"),
  });
  return true;
}

/** Whether a node takes a view of a model, of which pictures may have to be drawn. */
function hasModelViews(prompt: Readonly<Record<string, unknown>>): boolean {
  return Object.values(prompt).some(
    (node) => isObject(node) && schemaOf(String(node.class_type))?.inputs.some(isView) === true,
  );
}

/** The problem list is that of the active document; for others a notice gives the reason. */
function notifyRefusal(editor: Editor, tab: Tab, reason: string, isPart: boolean): void {
  if (!editor.isFocused) {
    notify(t("{{name}} was not run. {{reason}}", { name: tab.name, reason }));
    return;
  }
  useView.setState({ dock: "problems" });
  if (isPart) notify(reason);
}

let lastAutoRun: unknown = null;

/** Runs a document after edits, where the user enabled this and a run would change anything. */
export function runOnChange(tab: Tab, plan: Plan): void {
  const { remaining, active, sending } = useRuns.getState();
  if (!setting("calotype.runOnChange") || plan.run === 0 || tab.workflow === lastAutoRun) return;
  if (remaining > 0 || Object.keys(active).length > 0 || sending) return;
  lastAutoRun = tab.workflow;
  void run(new Editor(tab.id), { count: 1, keepSeeds: true });
}

/** Interrupts the running job, and removes pending ones. */
export async function interrupt(editor: Editor): Promise<void> {
  const { unfinished } = useRuns.getState();
  const running = runBeside(useRuns.getState(), editor.tab.id);
  try {
    const next = unfinished.find((each) => each.status === "pending");
    const isRunning = running !== null || unfinished.some((each) => each.status === "in_progress");
    if (!isRunning && next !== undefined) {
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

/**
 * Connects to the server; reloads the queue whenever it changes. Returns a function that ends it.
 */
export function connect(
  onPacksChanged: () => void,
  onDownloads: (news: DownloadsChanged) => void,
): () => void {
  const url = socketUrl(clientId, window.location);
  let wasOpen = false;
  return openSocket(
    { url, parse: parseJson },
    {
      onMessage: (message) => {
        handleMessage(message, performance.now());
        if (message.type === "status") refreshSoon();
        if (END_MESSAGES.has(message.type)) checkAgain();
        if (message.type === "downloads_changed") onDownloads(message.data);
        if ((message.type as string) === "pack_changed") onPacksChanged();
        if (message.type === "logs") showLogs(message.data);
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

/** Lines of the server's log, which come while its panel is open. */
function showLogs({ entries }: Logs): void {
  void import("../session/logs").then(({ addLogs }) => addLogs(entries), notifyError);
}

const END_MESSAGES = new Set(["execution_success", "execution_error", "execution_interrupted"]);

/** After a reconnection, perhaps to a new server process, its state is read again. */
async function resync(): Promise<void> {
  checkAgain();
  await refreshJobs();
  await showNotices();
  await showLastResults(true);
}

let refreshing: ReturnType<typeof setTimeout> | undefined;

/** Collects several changes into one request. */
function refreshSoon(): void {
  if (refreshing !== undefined) return;
  refreshing = setTimeout(() => {
    refreshing = undefined;
    void refreshJobs();
  }, REFRESH_DELAY);
}

export async function cancelJob(id: string): Promise<void> {
  await attempt(() => client.cancelJobs([id]));
}

export async function cancelAll(): Promise<void> {
  await attempt(() => client.clearQueue());
  const running = useQueue.getState().running.map((job) => job.id);
  if (running.length > 0) await attempt(() => client.cancelJobs(running));
}

/** Lets the running job finish, and removes the pending ones. */
export async function stopAfterThis(): Promise<void> {
  await attempt(() => client.clearQueue());
}

async function attempt(action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    notifyError(error);
  }
  await refreshJobs();
}

/** The workflow of a job; null where it was submitted without one. */
export async function workflowOf(job: string): Promise<Json | null> {
  return savedIn(await client.job(job));
}

/** The workflow that was submitted with a job; null for none. */
export function savedIn({ workflow }: JobDetail): Json | null {
  const found = workflow?.extra_data?.extra_pnginfo?.workflow as Json | undefined;
  return isObject(found) ? found : null;
}

/**
 * Shows the outputs of the newest finished job on the nodes of its document, if that is open: the
 * job's workflow has the document's id. `isNews`: replaces shown outputs, as the job may have
 * finished while disconnected.
 */
export async function showLastResults(isNews = false): Promise<void> {
  const last = useRuns.getState().past.find((each) => each.status === "completed");
  if (last === undefined) return;
  try {
    const { outputs, workflow } = await client.job(last.id);
    const made = workflow?.extra_data?.extra_pnginfo?.workflow as Json | undefined;
    if (!isObject(made) || typeof made.id !== "string") return;
    const { tabs } = useStudio.getState();
    for (const tab of tabs.filter((each) => each.workflow.saved.id === made.id)) {
      for (const [node, output] of Object.entries(outputs ?? {})) {
        const known = useRuns.getState().shown[placeOf(tab.id, node)];
        if ((isNews || known === undefined) && node in tab.workflow.nodes)
          setShown(tab.id, node, output, last.id);
      }
    }
  } catch (error) {
    if (!(error instanceof HttpError)) notify(t("The last results could not be read."));
  }
}
