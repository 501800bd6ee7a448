/** Run, stop, and what the server thinks of a document as one edits it. */
import { Refused, type Report, socketUrl } from "../api/client";
import { listen } from "../api/socket";
import { setValue } from "../document/edit";
import { isObject, type Json, parseJson } from "../document/json";
import { writeGraph } from "../document/write";
import { inputsOf } from "./inputs";
import { hear, notePrompt, placeOf, seePreview, setShown, useRuns } from "./runs";
import { client, clientId } from "./server";
import { activeTab, edit, schemaOf, type Tab, useStudio } from "./studio";
import { tell, tellError, useView } from "./view";
import { controlOf, layoutOf } from "./widgets";

const CHECK_AFTER = 400;
const LISTED = 64;

/** Rolls the seeds that ask for it, then hands the document in: the seed one sees is the one used. */
export async function run(front = false): Promise<void> {
  if (useRuns.getState().sending) return;
  useRuns.setState({ sending: true });
  try {
    rollSeeds();
    const tab = activeTab();
    const workflow = writeGraph(tab.workflow);
    const { prompt, report } = await client.check(workflow);
    setProblems(tab.id, report);
    if (report.error !== null) {
      useView.setState({ dock: "problems" });
      return;
    }
    const id = crypto.randomUUID();
    notePrompt(id, tab.id);
    await client.submit({ client: clientId, id, prompt, workflow, front });
  } catch (error) {
    tellError(error);
  } finally {
    useRuns.setState({ sending: false });
  }
}

export async function interrupt(): Promise<void> {
  try {
    await client.interrupt(useRuns.getState().running?.prompt);
  } catch (error) {
    tellError(error);
  }
}

function rollSeeds(): void {
  for (const node of Object.values(activeTab().graph.nodes)) {
    const schema = schemaOf(node.type);
    for (const input of schema === undefined ? [] : inputsOf(schema, node)) {
      const control = schema && controlOf(schema, input);
      if (schema === undefined || control == null) continue;
      if (node.inputs.some((each) => each.name === input.name && each.link !== null)) continue;
      const range = { min: input.options.min, max: input.options.max };
      const next = rolled(node.values[input.name] ?? 0, node.values[control] ?? "fixed", range);
      if (next === null) continue;
      edit(
        "Roll the seed",
        (draft) => setValue(draft, node.key, input.name, next, layoutOf(schema)),
        `roll ${node.key}`,
      );
    }
  }
}

/** The next value of a controlled number; null where it stays, or is no whole number. */
export function rolled(
  value: Json,
  control: Json,
  { min, max }: { min?: unknown; max?: unknown },
  random: () => bigint = randomBits,
): Json | null {
  if (typeof value !== "number" && typeof value !== "bigint") return null;
  if (typeof value === "number" && !Number.isInteger(value)) return null;
  const least = wholeOf(min, 0n);
  const most = wholeOf(max, (1n << 64n) - 1n);
  const now = BigInt(value);
  if (control === "randomize") return plain(least + (random() % (most - least + 1n)));
  if (control === "increment") return plain(now >= most ? most : now + 1n);
  if (control === "decrement") return plain(now <= least ? least : now - 1n);
  return null;
}

function wholeOf(value: unknown, otherwise: bigint): bigint {
  if (typeof value === "bigint") return value;
  return typeof value === "number" && Number.isInteger(value) ? BigInt(value) : otherwise;
}

/** JavaScript's own number where it is exact. */
export function plain(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Fifty-three bits are enough variety, and are read by every tool without loss. */
function randomBits(): bigint {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (BigInt(high & 0x1fffff) << 32n) | BigInt(low);
}

function setProblems(tab: string, report: Report): void {
  useRuns.setState(({ problems }) => ({ problems: { ...problems, [tab]: report } }));
}

/** Asks the server about the open document whenever it has rested. Returns what ends it. */
export function watchProblems(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked: AbortController | undefined;
  const ask = async (tab: Tab) => {
    asked?.abort();
    asked = new AbortController();
    if (tab.workflow.order.length === 0) {
      setProblems(tab.id, { error: null, node_errors: {} });
      return;
    }
    try {
      const { report } = await client.check(writeGraph(tab.workflow), asked.signal);
      setProblems(tab.id, report);
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;
      // A server that is away is said by the run bar; a document it cannot read is said here.
      if (error instanceof Refused) setProblems(tab.id, unreadable(error));
    }
  };
  let seen: unknown = null;
  const look = () => {
    const tab = activeTab();
    if (tab.workflow === seen) return;
    seen = tab.workflow;
    clearTimeout(timer);
    timer = setTimeout(() => void ask(activeTab()), CHECK_AFTER);
  };
  look();
  const stop = useStudio.subscribe(look);
  return () => {
    stop();
    clearTimeout(timer);
    asked?.abort();
  };
}

function unreadable(error: Refused): Report {
  return {
    error: { type: "unreadable", message: error.message, details: "" },
    node_errors: {},
  };
}

/** Hears the server until ended; reads the queue again whenever it changed. */
export function connect(): () => void {
  const url = socketUrl(clientId, window.location);
  let before = -1;
  return listen(
    { url, parse: parseJson },
    {
      onMessage: (message) => {
        hear(message, performance.now());
        const { remaining } = useRuns.getState();
        const ended = message.type === "status" && remaining !== before;
        if (ended) {
          before = remaining;
          void refreshJobs();
        }
      },
      onPreview: seePreview,
      onConnection: (connection) => {
        useRuns.setState({ connection });
        if (connection === "open") void refreshJobs();
        if (connection === "closed") useRuns.setState({ running: null });
      },
    },
  );
}

export async function refreshJobs(): Promise<void> {
  try {
    const [waiting, past] = await Promise.all([
      client.jobs(["in_progress", "pending"], 200),
      client.jobs(["completed", "failed", "cancelled"], LISTED),
    ]);
    useRuns.setState({ waiting, past });
  } catch (error) {
    if (error instanceof Refused) tellError(error);
    // Without a server there is nothing to list; the socket says so.
  }
}

export async function cancelJob(id: string): Promise<void> {
  await attempt(() =>
    useRuns.getState().running?.prompt === id ? client.interrupt(id) : client.removeFromQueue([id]),
  );
}

export async function cancelAll(): Promise<void> {
  await attempt(() => client.clearQueue());
  if (useRuns.getState().running !== null) await interrupt();
}

export async function forgetAll(): Promise<void> {
  await attempt(() => client.clearHistory());
}

async function attempt(doing: () => Promise<unknown>): Promise<void> {
  try {
    await doing();
  } catch (error) {
    tellError(error);
  }
  await refreshJobs();
}

/** The workflow that a job came from, or null where it was handed in without one. */
export async function workflowOf(job: string): Promise<Json | null> {
  const { workflow } = await client.job(job);
  const found = workflow?.extra_data?.extra_pnginfo?.workflow as Json | undefined;
  return isObject(found) ? found : null;
}

/** Puts the outputs of the newest finished job on the nodes of the tab it came from, by its id. */
export async function showLastResults(tab: Tab): Promise<void> {
  const wanted = tab.workflow.saved.id;
  const last = useRuns.getState().past.find((each) => each.status === "completed");
  if (last === undefined || typeof wanted !== "string") return;
  try {
    const { outputs, workflow } = await client.job(last.id);
    const made = workflow?.extra_data?.extra_pnginfo?.workflow as Json | undefined;
    if (!isObject(made) || made.id !== wanted) return;
    for (const [node, output] of Object.entries(outputs ?? {})) {
      const known = useRuns.getState().shown[placeOf(tab.id, node)];
      if (known === undefined && node in tab.workflow.nodes) setShown(tab.id, node, output);
    }
  } catch (error) {
    if (!(error instanceof Refused)) tell("The last results could not be read.");
  }
}
