/**
 * Announcements for screen readers: progress of a run, what was undone or connected, the number of
 * problems. In a polite live region, one after the other.
 */
import { create } from "zustand";
import type { ExecutionError } from "../../api/types";
import { keyOfLabel } from "../../document/editLabel";
import type { Graph } from "../../document/graph";
import { percent } from "../../words/format";
import { t, translateMessage } from "../../words/words";
import { nameIn } from "../nodes/naming";
import { activeOf, type Tab, useStudio } from "../session/studio";
import { shareOf } from "./plan";
import { type ActiveRun, placeOf, runBeside, useRuns } from "./runs";

interface Line {
  id: number;
  text: string;
}

interface Announcements {
  /** The latest last. */
  lines: readonly Line[];
}

const MAX_LINES = 5;

export const useAnnouncements = create<Announcements>(() => ({ lines: [] }));

export function announce(text: string): void {
  if (text === "") return;
  useAnnouncements.setState(({ lines }) => ({
    lines: [...lines, { id: (lines.at(-1)?.id ?? 0) + 1, text }].slice(-MAX_LINES),
  }));
}

/** Starts announcing. Returns a function that ends it. */
export function announceAll(): () => void {
  const endings = [announceRuns(), announceProblems(), announceEdits()];
  return () => {
    for (const end of endings) end();
  };
}

function quarterOf({ plan, shares }: ActiveRun): number {
  return plan === null ? 0 : Math.floor(shareOf(plan, shares) * 4) * 25;
}

/** Announces a run: its start, each quarter, and its outcome. */
function announceRuns(): () => void {
  let lastText = "";
  return useRuns.subscribe((now, before) => {
    if (now.connection !== before.connection && now.connection === "closed") {
      announce(t("The server cannot be reached. Your work is kept."));
    }
    if (now.active === before.active) return;
    for (const { prompt, tab } of Object.values(before.active)) {
      if (prompt in now.active) continue;
      lastText = "";
      announce(outcomeOf(prompt, tab, now.errors));
    }
    const running = runBeside(now, useStudio.getState().active);
    if (running === null) return;
    const text = t("Running, {{percent}}", { percent: percent(quarterOf(running) / 100) });
    if (text !== lastText) announce(text);
    lastText = text;
  });
}

function outcomeOf(
  prompt: string,
  tab: string,
  errors: Readonly<Record<string, ExecutionError>>,
): string {
  const failed = Object.entries(errors).find(
    ([place, error]) => error.prompt_id === prompt && place.startsWith(placeOf(tab, "")),
  );
  const sentence = failed?.[1].exception_message.trim().split("\n")[0];
  return sentence === undefined
    ? t("The run has finished")
    : t("The run has failed: {{text}}", { text: sentence });
}

const SETTLE_DELAY = 1_000;

/** Announces the number of nodes with problems, once it has not changed for a while. */
function announceProblems(): () => void {
  const count = (problems: ReturnType<typeof useRuns.getState>["problems"]) =>
    Object.keys(problems[useStudio.getState().active]?.node_errors ?? {}).length;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let lastCount = 0;
  let lastTab = "";
  const stop = useRuns.subscribe(({ problems }, before) => {
    if (problems === before.problems) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      const { active: id } = useStudio.getState();
      const now = count(useRuns.getState().problems);
      if (now !== lastCount || (id !== lastTab && now > 0)) {
        announce(now === 0 ? t("No problems") : t("{{count}} nodes have problems", { count: now }));
      }
      [lastCount, lastTab] = [now, id];
    }, SETTLE_DELAY);
  });
  return () => {
    clearTimeout(timer);
    stop();
  };
}

/** Announces undo, redo and new connections. */
function announceEdits(): () => void {
  return useStudio.subscribe((state, before) => {
    const [now, then] = [activeOf(state), activeOf(before)];
    if (now.log === then.log || now.id !== then.id) return;
    announce(changeOf(now, then));
  });
}

/** The edits that are announced; others are noticeable at the focused element. */
const ANNOUNCED: ReadonlySet<string> = new Set([
  "Delete",
  "Disconnect",
  "Duplicate",
  "Paste",
  "Tidy",
  "Group",
  "Move the wires",
  "Add {{name}}",
  "Insert {{node}}",
  "Replace with {{node}}",
]);

function changeOf(now: Tab, { log: then, graph: before }: Tab): string {
  const { done, undone } = now.log;
  if (undone.length > then.undone.length) {
    return t("Undone: {{edit}}", { edit: translateMessage(undone.at(-1)?.label ?? "") });
  }
  const last = done.at(-1);
  if (last === undefined || done.length <= then.done.length) return "";
  if (last === then.undone.at(-1))
    return t("Redone: {{edit}}", { edit: translateMessage(last.label) });
  const joined = last.label === "Connect" ? connectionIn(now.graph, before) : "";
  return joined !== ""
    ? joined
    : ANNOUNCED.has(keyOfLabel(last.label))
      ? translateMessage(last.label)
      : "";
}

function connectionIn(graph: Graph, before: Graph): string {
  const { catalog } = useStudio.getState();
  const key = graph.linkOrder.findLast((each) => graph.links[each] !== before.links[each]);
  const link = graph.links[key ?? ""];
  if (link === undefined) return "";
  return t("Connected {{output}} of {{from}} to {{input}} of {{to}}", {
    output: graph.nodes[link.from]?.outputs[link.fromSlot]?.name ?? link.type,
    from: nameIn(graph, catalog, link.from),
    input: graph.nodes[link.to]?.inputs[link.toSlot]?.name ?? "",
    to: nameIn(graph, catalog, link.to),
  });
}
