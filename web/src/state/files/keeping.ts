/**
 * Keeps every open document in a journal of its own, from its first moment until it is closed and
 * after. A document belongs to one window; a window that loses one goes on with a copy.
 */
import { Refused } from "../../api/transport";
import type { Replayed, TabState } from "../../document/journal";
import { t } from "../../words/words";
import { useArranging } from "../editing/arranging";
import { clientId, journals } from "../server";
import { isDirty, putTab, type Tab, useStudio } from "../studio";
import { tell, tellError } from "../view";
import { leaveClosed, noteClosed, useClosed } from "./closed";
import { Journal, type Surroundings } from "./journal";
import { makeMirror } from "./mirror";
import { holdDocument } from "./windows";

/** From an edit to the line on its way. */
const SOON = 150;
/** The same while something follows the pointer: where it is now, it is for a moment. */
const MEANWHILE = 450;
/** The same for what is only looked at: where the canvas stands. */
const LATER = 1_000;

export const mirror = makeMirror();

const kept = new Map<string, Journal>();
const releases = new Map<string, () => void>();
const shown = new Map<string, number>();

const around: Surroundings = {
  server: journals,
  mirror,
  onLost: goOnAsCopy,
  onTrouble: tellError,
};

/** A document that comes from a journal goes on in it. */
export function adopt(id: string, replayed: Replayed): void {
  kept.set(id, new Journal(id, around, replayed.last, replayed.tab.window));
  shown.set(id, replayed.tab.shown);
}

/** Says which window has a document from now on; false where another has it. */
export async function claimDocument(id: string): Promise<boolean> {
  if (releases.has(id)) return true;
  const release = await holdDocument(id);
  if (release === null) return false;
  releases.set(id, release);
  return true;
}

function journalOf(id: string): Journal {
  const known = kept.get(id);
  if (known !== undefined) return known;
  const made = new Journal(id, around);
  kept.set(id, made);
  void claimDocument(id);
  return made;
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
    shown: shown.get(id) ?? 0,
    closed,
  };
}

/** Writes what changed since the last time, and sends it. */
export function keepNow(): void {
  useStudio.getState().tabs.forEach((tab, place) => {
    if (isKept(tab)) journalOf(tab.id).write(tab, stateOf(tab, place, null));
  });
}

/** The tab that stands for "nothing is open yet" is no document. */
function isKept(tab: Tab): boolean {
  return tab.id !== "nothing";
}

/** A blank page that nobody touched is not worth a journal after it is closed. */
function isWorthKeeping(tab: Tab): boolean {
  const { workflow, log, path } = tab;
  const touched = log.done.length > 0 || log.undone.length > 0;
  return touched || path !== null || workflow.order.length > 0 || workflow.groups.length > 0;
}

function close(tab: Tab, place: number): void {
  const journal = journalOf(tab.id);
  if (isWorthKeeping(tab)) {
    const closed = Date.now();
    journal.write(tab, stateOf(tab, place, closed));
    noteClosed({ id: tab.id, name: tab.name, path: tab.path, closed, dirty: isDirty(tab), tab });
  } else {
    journal.end();
    kept.delete(tab.id);
    journals.remove(tab.id).catch((error: unknown) => {
      // Where the server is away, a blank page more is there at the next start.
      if (error instanceof Refused) tellError(error);
    });
    mirror.drop(tab.id).catch(tellError);
  }
  release(tab.id);
  forgetOld();
}

function release(id: string): void {
  releases.get(id)?.();
  releases.delete(id);
}

/** So many closed documents stay here, to be opened again at once; the server has all of them. */
const MOST_HERE = 2;

/** What the server has, and is not open, need not be here. */
function forgetOld(): void {
  const open = useStudio.getState().tabs.map((each) => each.id);
  const newest = useClosed.getState().closed.slice(0, MOST_HERE);
  const known = new Set([...open, ...newest.map((each) => each.id)]);
  for (const [id, journal] of kept) {
    if (known.has(id) || !journal.settled) continue;
    kept.delete(id);
    shown.delete(id);
    leaveClosed(id);
  }
}

function goOnAsCopy(id: string): void {
  const tab = useStudio.getState().tabs.find((each) => each.id === id);
  kept.delete(id);
  release(id);
  mirror.drop(id).catch(tellError);
  if (tab === undefined) return;
  const copy = { ...tab, id: crypto.randomUUID(), name: t("{{name}} (copy)", { name: tab.name }) };
  forgotten.add(id);
  useStudio.setState(({ tabs, active }) => ({
    tabs: tabs.map((each) => (each.id === id ? copy : each)),
    active: active === id ? copy.id : active,
  }));
  tell(
    t("Another window has taken over {{name}}. Your edits here continue in a copy.", {
      name: tab.name,
    }),
  );
}

/** Documents that left the tabs without being closed. */
const forgotten = new Set<string>();

/** Keeps journals from now on. Returns what ends it. */
export function keepJournals(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = Number.POSITIVE_INFINITY;
  const flush = () => {
    clearTimeout(timer);
    due = Number.POSITIVE_INFINITY;
    keepNow();
  };
  const soon = (wait: number) => {
    const at = Date.now() + wait;
    if (at >= due) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(flush, wait);
  };
  const stop = useStudio.subscribe((state, before) => {
    if (state.active !== before.active) shown.set(state.active, Date.now());
    if (state.tabs === before.tabs && state.active === before.active) return;
    const open = new Set(state.tabs.map((each) => each.id));
    before.tabs.forEach((tab, place) => {
      if (!open.has(tab.id) && isKept(tab) && !forgotten.delete(tab.id)) close(tab, place);
    });
    const isDragging = useArranging.getState().dragging;
    soon(onlyLookedAt(state.tabs, before.tabs) ? LATER : isDragging ? MEANWHILE : SOON);
  });
  const leave = () => {
    flush();
    for (const journal of kept.values()) journal.leave();
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

function onlyLookedAt(tabs: readonly Tab[], before: readonly Tab[]): boolean {
  return (
    tabs.length === before.length &&
    tabs.every((tab, place) => {
      const was = before[place];
      return (
        was !== undefined &&
        tab.id === was.id &&
        tab.workflow === was.workflow &&
        tab.log === was.log &&
        tab.kept === was.kept &&
        tab.name === was.name &&
        tab.path === was.path
      );
    })
  );
}

/** Shows again what was closed, as it was, with its undo. */
export function putBack(tab: Tab): void {
  void claimDocument(tab.id);
  putTab(tab);
}
