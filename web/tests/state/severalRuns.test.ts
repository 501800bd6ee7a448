/** Several runs at once, of one document and of others; and what is left of closed documents. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ServerMessage } from "../../src/api/types";
import { useUploads } from "../../src/state/fields/media";
import { recordSeeds, useSeeds } from "../../src/state/fields/seeds";
import { useNeeds } from "../../src/state/files/needs";
import { useConflicts } from "../../src/state/files/saving";
import { addPreview, handleMessage } from "../../src/state/outcomes/events";
import {
  placeOf,
  recordPrompt,
  recordSubmitted,
  runBeside,
  runOf,
  useRuns,
} from "../../src/state/outcomes/runs";
import { recordCheck, watchProblems } from "../../src/state/runs/checking";
import { watchClosing } from "../../src/state/runs/closing";
import { watchFailures } from "../../src/state/runs/staleFailures";
import { client } from "../../src/state/session/server";
import { activeTab, closeTab, edit, openWorkflow, useStudio } from "../../src/state/session/studio";

const PLAN = { nodes: {}, run: 1, cached: 0, seconds: 4, memory: null, unknown: 0 };
const CHECKED = { prompt: {}, plan: PLAN, report: { error: null, node_errors: {} }, needs: {} };
const initial = useRuns.getState();

beforeEach(() => {
  vi.stubGlobal("sessionStorage", { getItem: () => null, setItem: () => undefined });
  vi.useFakeTimers();
  vi.spyOn(client, "check").mockResolvedValue(CHECKED as never);
  useRuns.setState({ ...initial, prompts: {} }, true);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

function submit(prompt: string, tab: string): void {
  recordPrompt(prompt, tab);
  recordSubmitted(prompt, activeTab().workflow, PLAN);
}

const hear = (message: object) => handleMessage(message as ServerMessage, 0);
const start = (prompt: string) => hear({ type: "execution_start", data: { prompt_id: prompt } });
const succeed = (prompt: string) =>
  hear({ type: "execution_success", data: { prompt_id: prompt } });
const file = (filename: string) => ({ filename, subfolder: "", type: "output" });
const output = (prompt: string, filename: string) =>
  hear({
    type: "executed",
    data: { prompt_id: prompt, node: "1", display_node: "1", output: { images: [file(filename)] } },
  });

function progress(prompt: string, value: number, state = "running"): void {
  const node = { value, max: 20, state, prompt_id: prompt, node_id: "1", parent_node_id: null };
  const nodes = { "1": { ...node, display_node_id: "1", real_node_id: "1" } };
  hear({ type: "progress_state", data: { prompt_id: prompt, nodes } });
}

const here = placeOf("a", "1");
const shownFile = () => useRuns.getState().shown[here]?.files[0]?.file.filename;

test("two runs of one document do not mix: its nodes show the newer one", () => {
  submit("one", "a");
  submit("two", "a");
  start("one");
  progress("one", 5);
  start("two");
  progress("two", 1);
  progress("one", 15);
  expect(useRuns.getState().nodes[here]?.value).toBe(1);
  const { active } = useRuns.getState();
  expect([active.one?.shares, active.two?.shares]).toEqual([{ "1": 0.75 }, { "1": 0.05 }]);
  expect(runOf(useRuns.getState(), "a")?.prompt).toBe("two");
  output("one", "one.png");
  expect(shownFile()).toBe("one.png");
  output("two", "two.png");
  output("one", "late.png");
  expect(shownFile()).toBe("two.png");
});

test("the end of one run leaves the other one running", () => {
  submit("one", "a");
  submit("two", "a");
  start("one");
  start("two");
  progress("two", 3);
  succeed("one");
  expect(Object.keys(useRuns.getState().active)).toEqual(["two"]);
  expect(useRuns.getState().nodes[here]).toMatchObject({ state: "running", value: 3 });
  hear({ type: "executing", data: { node: null, prompt_id: "two" } });
  expect(useRuns.getState().active).toEqual({});
  expect(useRuns.getState().nodes[here]?.state).toBe("waiting");
});

test("an earlier run's failure does not mark the nodes of a newer run", () => {
  submit("one", "a");
  submit("two", "a");
  start("one");
  start("two");
  const data = { prompt_id: "one", node_id: "1", exception_message: "no memory", timestamp: 1 };
  hear({ type: "execution_error", data });
  expect(useRuns.getState().failures).toEqual({});
  expect(Object.keys(useRuns.getState().active)).toEqual(["two"]);
});

test("beside a document its own run is shown, else the one that began first", () => {
  submit("one", "a");
  submit("two", "b");
  start("one");
  start("two");
  const beside = (tab: string) => runBeside(useRuns.getState(), tab)?.prompt;
  expect([beside("a"), beside("b"), beside("c")]).toEqual(["one", "two", "one"]);
});

/** The number of entries of each store about documents. */
function entries(): Record<string, number> {
  const { prompts: _bounded, ...runs } = useRuns.getState();
  const { byTab } = useNeeds.getState();
  const { conflicts } = useConflicts.getState();
  const stores = {
    ...runs,
    byTab,
    conflicts,
    seeds: useSeeds.getState(),
    up: useUploads.getState(),
  };
  return Object.fromEntries(
    Object.entries(stores).map(([name, all]) => [name, Object.keys(Object(all)).length]),
  );
}

test("opening, running and closing twenty documents leaves nothing behind", async () => {
  const revoke = vi.spyOn(URL, "revokeObjectURL");
  openWorkflow({ nodes: [], links: [] }, { name: "stays" });
  const stops = [watchProblems(), watchFailures(), watchClosing()];
  await vi.runAllTimersAsync();
  const [before, timers] = [entries(), vi.getTimerCount()];
  for (let at = 0; at < 20; at += 1) {
    const id = openWorkflow({ nodes: [], links: [] }, { name: `of ${at}` });
    edit({ id, level: [] }, "Note", (draft) => {
      draft.groups = [];
    });
    await vi.advanceTimersByTimeAsync(at % 2 === 0 ? 1_000 : 10);
    submit(`p${at}`, id);
    start(`p${at}`);
    progress(`p${at}`, 4);
    addPreview({ node: "1", prompt: `p${at}`, image: new Blob(["x"]) });
    output(`p${at}`, "a.png");
    recordCheck(id, CHECKED as never);
    const tab = activeTab();
    recordSeeds(tab, { "1": { class_type: "none", inputs: {} } });
    useSeeds.setState({ [`${id}/1/seed`]: at });
    useUploads.setState({ [`${id}/1/image`]: { progress: 1, error: null, stop: vi.fn() } });
    useConflicts.setState({ conflicts: { [id]: { theirs: { text: "", stamp: "" } } } });
    if (at % 3 === 0) hear(failureOf(`p${at}`));
    else if (at % 3 === 1) succeed(`p${at}`);
    closeTab(id);
    // A run that goes on after its document was closed.
    progress(`p${at}`, 9);
    output(`p${at}`, "b.png");
    succeed(`p${at}`);
    recordCheck(id, CHECKED as never);
  }
  await vi.runAllTimersAsync();
  expect(entries()).toEqual(before);
  expect(vi.getTimerCount()).toBe(timers);
  expect(useStudio.getState().tabs).toHaveLength(1);
  expect(revoke).toHaveBeenCalled();
  for (const stop of stops) stop();
  expect(vi.getTimerCount()).toBe(0);
});

function failureOf(prompt: string): object {
  const data = { prompt_id: prompt, node_id: "1", exception_message: "no", timestamp: 1 };
  return { type: "execution_error", data };
}
