/**
 * Writes every open document to its journal, from when it is opened until it is closed. A document
 * belongs to one window; a window that loses one continues with a copy.
 */
import { HttpError } from "../../api/transport";
import type { Replayed, TabState } from "../../document/journal";
import { t } from "../../words/words";
import { useArranging } from "../editing/arranging";
import { clientId, journals } from "../session/server";
import { isDirty, putTab, type Tab, useStudio } from "../session/studio";
import { notify, notifyError } from "../session/view";
import { dropClosedCopy, recordClosed, useClosed } from "./closed";
import { Journal, type JournalEnvironment } from "./journal";
import { makeMirror } from "./mirror";
import { lockDocument } from "./windows";

/** The delay from an edit to its line, in milliseconds. */
const EDIT_DELAY = 150;
/** The delay during a drag, when each position is temporary. */
const DRAG_DELAY = 450;
/** The delay for changes of the view, such as the canvas's viewport. */
const VIEW_DELAY = 1_000;

export const mirror = makeMirror();

const openJournals = new Map<string, Journal>();
const releases = new Map<string, () => void>();
const lastShown = new Map<string, number>();

const environment: JournalEnvironment = {
  server: journals,
  mirror,
  onLost: continueAsCopy,
  onError: notifyError,
};

/** Continues the journal that a document was restored from. */
export function resumeJournal(id: string, replayed: Replayed): void {
  openJournals.set(id, new Journal(id, environment, replayed.last, replayed.tab.window));
  lastShown.set(id, replayed.tab.shown);
}

/** Claims a document for this window; false where another window has it. */
export async function claimDocument(id: string): Promise<boolean> {
  if (releases.has(id)) return true;
  const release = await lockDocument(id);
  if (release === null) return false;
  releases.set(id, release);
  return true;
}

function journalOf(id: string): Journal {
  const existing = openJournals.get(id);
  if (existing !== undefined) return existing;
  const journal = new Journal(id, environment);
  openJournals.set(id, journal);
  void claimDocument(id);
  return journal;
}

function stateOf(tab: Tab, place: number, closed: number | null): TabState {
  const { name, path, stamp, viewport, level, id, app } = tab;
  return {
    window: clientId,
    name,
    path,
    stamp,
    viewport: viewport === null ? null : { ...viewport },
    level,
    ...(app !== null && { app }),
    place,
    shown: lastShown.get(id) ?? 0,
    closed,
  };
}

/** Writes and sends what changed since the last call. */
export function flushJournals(): void {
  useStudio.getState().tabs.forEach((tab, place) => {
    if (isJournaled(tab)) journalOf(tab.id).write(tab, stateOf(tab, place, null));
  });
}

/** The placeholder tab for "nothing is open yet" is not a document. */
function isJournaled(tab: Tab): boolean {
  return tab.id !== "nothing";
}

/** An empty document that was never edited needs no journal once it is closed. */
function isWorthJournaling(tab: Tab): boolean {
  const { workflow, log, path } = tab;
  const touched = log.done.length > 0 || log.undone.length > 0;
  return touched || path !== null || workflow.order.length > 0 || workflow.groups.length > 0;
}

function close(tab: Tab, place: number): void {
  const journal = journalOf(tab.id);
  if (isWorthJournaling(tab)) {
    const closed = Date.now();
    journal.write(tab, stateOf(tab, place, closed));
    recordClosed({ id: tab.id, name: tab.name, path: tab.path, closed, dirty: isDirty(tab), tab });
  } else {
    journal.end();
    openJournals.delete(tab.id);
    lastShown.delete(tab.id);
    journals.remove(tab.id).catch((error: unknown) => {
      // Where the server is unreachable, the only effect is one empty document more at the next
      // start.
      if (error instanceof HttpError) notifyError(error);
    });
    mirror.drop(tab.id).catch(notifyError);
  }
  release(tab.id);
  releaseOld();
}

function release(id: string): void {
  releases.get(id)?.();
  releases.delete(id);
}

/** The number of closed documents held here for fast reopening; the server has all of them. */
const MAX_CLOSED_HERE = 2;

/** Releases closed documents that the server has. */
function releaseOld(): void {
  const open = useStudio.getState().tabs.map((each) => each.id);
  const newest = useClosed.getState().closed.slice(0, MAX_CLOSED_HERE);
  const kept = new Set([...open, ...newest.map((each) => each.id)]);
  for (const [id, journal] of openJournals) {
    if (kept.has(id) || !journal.settled) continue;
    openJournals.delete(id);
    lastShown.delete(id);
    dropClosedCopy(id);
  }
}

function continueAsCopy(id: string): void {
  const tab = useStudio.getState().tabs.find((each) => each.id === id);
  openJournals.delete(id);
  release(id);
  mirror.drop(id).catch(notifyError);
  if (tab === undefined) return;
  const copy = { ...tab, id: crypto.randomUUID(), name: t("{{name}} (copy)", { name: tab.name }) };
  replacedByCopy.add(id);
  useStudio.setState(({ tabs, active }) => ({
    tabs: tabs.map((each) => (each.id === id ? copy : each)),
    active: active === id ? copy.id : active,
  }));
  notify(
    t("Another window has taken over {{name}}. Your edits here continue in a copy.", {
      name: tab.name,
    }),
  );
}

/** The ids of documents that left the tabs without being closed. */
const replacedByCopy = new Set<string>();

/** Starts writing journals. Returns a function that ends it. */
export function startJournaling(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = Number.POSITIVE_INFINITY;
  const flush = () => {
    clearTimeout(timer);
    due = Number.POSITIVE_INFINITY;
    flushJournals();
  };
  const schedule = (wait: number) => {
    const at = Date.now() + wait;
    if (at >= due) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(flush, wait);
  };
  const stop = useStudio.subscribe((state, before) => {
    if (state.active !== before.active) lastShown.set(state.active, Date.now());
    if (state.tabs === before.tabs && state.active === before.active) return;
    const open = new Set(state.tabs.map((each) => each.id));
    before.tabs.forEach((tab, place) => {
      if (!open.has(tab.id) && isJournaled(tab) && !replacedByCopy.delete(tab.id))
        close(tab, place);
    });
    const isDragging = useArranging.getState().dragging;
    schedule(
      onlyViewsChanged(state.tabs, before.tabs) ? VIEW_DELAY : isDragging ? DRAG_DELAY : EDIT_DELAY,
    );
  });
  const leave = () => {
    flush();
    for (const journal of openJournals.values()) journal.leave();
  };
  const hidden = () => {
    if (document.visibilityState === "hidden") flush();
  };
  window.addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", hidden);
  flush();
  return () => {
    stop();
    clearTimeout(timer);
    window.removeEventListener("pagehide", leave);
    document.removeEventListener("visibilitychange", hidden);
  };
}

function onlyViewsChanged(tabs: readonly Tab[], before: readonly Tab[]): boolean {
  return (
    tabs.length === before.length &&
    tabs.every((tab, place) => {
      const previous = before[place];
      return (
        previous !== undefined &&
        tab.id === previous.id &&
        tab.workflow === previous.workflow &&
        tab.log === previous.log &&
        tab.savedWorkflow === previous.savedWorkflow &&
        tab.name === previous.name &&
        tab.path === previous.path
      );
    })
  );
}

/** Reopens a closed document, with its undo. */
export function reopenTab(tab: Tab): void {
  void claimDocument(tab.id);
  putTab(tab);
}
