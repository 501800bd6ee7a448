/**
 * Restores open documents after a reload, a crash of the browser or the server, or the loss of a
 * window; and closed documents on request.
 */
import type { JournalInfo } from "../../api/journals";
import { type Replayed, replay, type TabState } from "../../document/journal";
import { isObject, type Json, parseJson } from "../../document/json";
import { existingPath, levelAt } from "../../document/levels";
import { close } from "../../document/log";
import { NotAWorkflowError } from "../../document/read";
import { t } from "../../words/words";
import { client, clientId, journals } from "../session/server";
import {
  blankTab,
  openWorkflow,
  putTab,
  type Tab,
  useStudio,
  type Viewport,
} from "../session/studio";
import { notify, notifyError } from "../session/view";
import { type Closed, removeClosed, useClosed } from "./closed";
import { openDefault } from "./files";
import { claimDocument, mirror, reopenTab, resumeJournal } from "./journaling";
import type { DivergedDocument } from "./unsent";
import { claimWindow, lockedDocuments } from "./windows";

/**
 * Opens the documents that were open, or the default workflow for none. Returns whether there were
 * any.
 */
export async function restore(catalog: Promise<void>): Promise<boolean> {
  const [{ listed, locked, diverged }] = await Promise.all([readStored(), catalog]);
  const open = listed.filter(({ tab, id }) => tab?.closed === null && !locked.has(id));
  const mine = open.filter(({ tab }) => tab?.window === clientId);
  const others = open.filter(({ tab, alive }) => tab?.window !== clientId && !alive);
  const elsewhere = listed.filter(
    ({ tab, alive, id }) =>
      tab?.closed === null && tab.window !== clientId && (alive || locked.has(id)),
  );
  const hasOwn = mine.length > 0 || elsewhere.length > 0;
  // Of a diverged document, both this browser's and the server's version are opened.
  const shouldOpen = ({ id }: DescribedJournal) =>
    !hasOwn || diverged.some((each) => each.id === id);
  const opened = await openAll([...others.filter(shouldOpen), ...mine]);
  const abandoned = others.filter((each) => !shouldOpen(each));
  if (diverged.length > 0) notifyDiverged(diverged, abandoned);
  else if (elsewhere.length > 0 || abandoned.length > 0)
    notifyOtherDocuments(elsewhere.length, abandoned);
  if (opened > 0 || openOldDraft() || (await openServersDraft())) return true;
  await openDefault();
  return false;
}

/**
 * Reads all journals, after sending this browser's unsent lines; and the documents of all windows.
 */
async function readStored(): Promise<StoredDocuments> {
  await claimWindow();
  const locked = await lockedDocuments();
  const diverged = await sendUnsentLines(locked);
  return { listed: (await journals.list()).map(described), locked, diverged };
}

/** Sends unsent lines of documents that no window of this browser has open. */
async function sendUnsentLines(locked: ReadonlySet<string>): Promise<readonly DivergedDocument[]> {
  try {
    const left = (await mirror.all()).filter(([id]) => !locked.has(id));
    if (left.length === 0) return [];
    const { sendUnsent } = await import("./unsent");
    return await sendUnsent(left, clientId, { mirror, server: journals });
  } catch (error) {
    // Without this storage in the browser there are no unsent lines.
    if (error instanceof DOMException || error instanceof ReferenceError) return [];
    throw error;
  }
}

interface StoredDocuments {
  listed: DescribedJournal[];
  locked: ReadonlySet<string>;
  diverged: readonly DivergedDocument[];
}

interface DescribedJournal extends JournalInfo {
  tab: TabState | null;
}

function described(info: JournalInfo): DescribedJournal {
  const tab = isObject(info.tab) ? (info.tab as unknown as TabState) : null;
  return { ...info, tab };
}

function notifyDiverged(
  diverged: readonly DivergedDocument[],
  abandoned: readonly DescribedJournal[],
): void {
  const sentences = diverged.map(({ name, copyName }) =>
    t(
      "{{name}} was edited in another browser while this one was disconnected. Your edits here are kept in a tab of their own: {{copyName}}.",
      { name, copyName },
    ),
  );
  notify(sentences.join(" "), abandoned.length > 0 ? openAction(abandoned) : undefined);
}

function openAction(abandoned: readonly DescribedJournal[]): { label: string; run: () => void } {
  return { label: t("Open them here"), run: () => void openAll(abandoned).catch(notifyError) };
}

function notifyOtherDocuments(elsewhere: number, abandoned: readonly DescribedJournal[]): void {
  const { length: count } = abandoned;
  const sentences = [
    elsewhere > 0 &&
      t("Another window has {{count}} workflows open. This window has its own.", {
        count: elsewhere,
      }),
    count > 0 && t("{{count}} workflows of a closed window are kept.", { count }),
  ];
  notify(sentences.filter(Boolean).join(" "), count > 0 ? openAction(abandoned) : undefined);
}

/**
 * Opens journals in the order of their tabs, and shows the one shown last. Returns their number.
 */
async function openAll(infos: readonly DescribedJournal[]): Promise<number> {
  const ordered = [...infos].sort((one, other) => placeOf(one) - placeOf(other));
  const texts = await Promise.all(ordered.map((each) => readClaimed(each.id)));
  let active: { id: string; shown: number } | null = null;
  let count = 0;
  ordered.forEach(({ id, tab }, index) => {
    const text = texts[index];
    if (text == null) return;
    const replayed = replayOrNotify(text, tab?.name ?? id);
    if (replayed === null) return;
    resumeJournal(id, replayed);
    putTab(tabOf(id, replayed));
    count += 1;
    const { shown } = replayed.tab;
    if (active === null || shown > active.shown) active = { id, shown };
  });
  const { id } = (active ?? {}) as { id?: string };
  if (id !== undefined) useStudio.setState({ active: id });
  return count;
}

function placeOf({ tab }: DescribedJournal): number {
  return tab?.place ?? 0;
}

async function readClaimed(id: string): Promise<string | null> {
  return (await claimDocument(id)) ? journals.read(id) : null;
}

function replayOrNotify(text: string, name: string): Replayed | null {
  const replayed = replay(text);
  if (replayed === null) {
    notifyError(new Error(t("The edits of {{name}} can no longer be read.", { name })));
  } else if (replayed.truncated) {
    notifyError(new Error(t("The last edits of {{name}} could not be read.", { name })));
  }
  return replayed;
}

function tabOf(id: string, { graph, log, saved, tab }: Replayed): Tab {
  const blank = blankTab(id, tab.name);
  const level = existingPath(graph, tab.level);
  return {
    ...blank,
    path: tab.path,
    stamp: tab.stamp,
    viewport: tab.viewport,
    app: tab.app ?? null,
    workflow: graph,
    level,
    graph: levelAt(graph, level),
    log: close(log),
    savedWorkflow: saved ? graph : blank.savedWorkflow,
  };
}

/** Closed documents, newest first: those of this window, and the server's. */
export async function listClosed(): Promise<Closed[]> {
  const here = useClosed.getState().closed;
  const known = new Set([
    ...here.map((each) => each.id),
    ...useStudio.getState().tabs.map((each) => each.id),
  ]);
  const onServer = (await journals.list()).map(described).flatMap(({ id, tab }): Closed[] => {
    if (tab === null || tab.closed === null || known.has(id)) return [];
    return [{ id, name: tab.name, path: tab.path, closed: tab.closed, dirty: null, tab: null }];
  });
  return [...here, ...onServer].sort((one, other) => other.closed - one.closed);
}

/** Reopens a closed document, with its undo and redo. */
export async function reopen({ id, name, tab }: Closed): Promise<void> {
  if (tab !== null) {
    reopenTab(tab);
    removeClosed(id);
    return;
  }
  const text = await readClaimed(id);
  if (text === null) throw new Error(t("{{name}} is no longer stored.", { name }));
  const replayed = replayOrNotify(text, name);
  if (replayed === null) return;
  resumeJournal(id, replayed);
  putTab(tabOf(id, replayed));
}

export async function reopenLast(): Promise<void> {
  const [last] = await listClosed();
  if (last === undefined) notify(t("There is no closed workflow to reopen."));
  else await reopen(last);
}

const OLD_DRAFT = "calotype.draft";

/** Migrates the draft that an earlier Calotype stored in this browser. */
function openOldDraft(): boolean {
  const text = globalThis.localStorage?.getItem(OLD_DRAFT);
  if (text == null) return false;
  const opened = tabsOfDraft(text).filter(openDraftTab).length;
  localStorage.removeItem(OLD_DRAFT);
  return opened > 0;
}

const SERVERS_DRAFT = "drafts/session.json";

/** Migrates the draft that an earlier Calotype stored on the server, for a browser without one. */
async function openServersDraft(): Promise<boolean> {
  if ((await client.files("drafts")).length === 0) return false;
  const text = await client.load(SERVERS_DRAFT);
  if (text === null) return false;
  const opened = tabsOfDraft(text).filter(openDraftTab).length;
  if (opened > 0) await client.remove(SERVERS_DRAFT);
  return opened > 0;
}

function tabsOfDraft(text: string): Json[] {
  try {
    const draft = parseJson(text);
    return isObject(draft) && Array.isArray(draft.tabs) ? draft.tabs : [];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    notify(t("The documents open last time could not be read."));
    return [];
  }
}

function openDraftTab(each: Json): boolean {
  if (!isObject(each) || !isObject(each.workflow)) return false;
  try {
    openWorkflow(each.workflow, {
      name: String(each.name),
      path: typeof each.path === "string" ? each.path : null,
      viewport: isObject(each.viewport) ? (each.viewport as unknown as Viewport) : null,
      dirty: each.dirty === true,
    });
    return true;
  } catch (error) {
    if (!(error instanceof NotAWorkflowError)) throw error;
    notifyError(error);
    return false;
  }
}
