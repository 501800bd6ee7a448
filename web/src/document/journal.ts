/**
 * The journal of a document: text lines from which the document, its undo and its redo are
 * restored.
 *
 * The first line holds the whole document, each later one a step. Lines are numbered without gaps;
 * a truncated line, or one out of order, ends what can be read. Storage and timestamps are up to
 * the caller.
 */
import type { Steps } from "./coalesce";
import { isSameLabel } from "./editLabel";
import { emptyGraph, type Workflow } from "./graph";
import { isObject, type Json, parseJson, writeJson } from "./json";
import type { Path } from "./levels";
import { advance, close, type Entry, extend, type Log, redo, undo } from "./log";

/** To be increased when older lines can no longer be read as they are. */
const FORMAT = 1;

/** The state of a tab apart from its graph. */
export interface TabState {
  /** The id of the window that has the document open, or had it last. */
  window: string;
  name: string;
  path: string | null;
  /** The server's version stamp of the saved file when it was last read or written. */
  stamp: string | null;
  viewport: { x: number; y: number; zoom: number } | null;
  /** The path to the level that is shown. */
  level: Path;
  /** Whether the user chose to show it as an app (true) or not (false). */
  app?: boolean;
  /** Its index among the tabs, and when it was last shown: milliseconds since 1970. */
  place: number;
  shown: number;
  /** When it was closed, in milliseconds since 1970; null while it is open. */
  closed: number | null;
}

export type Step =
  | ({ kind: "edit" } & Entry)
  /** The newest entry was extended: its steps from index `from` on are replaced by these. */
  | ({ kind: "more"; from: number } & Steps)
  | { kind: "undo" | "redo"; count: number }
  | { kind: "close" }
  | { kind: "saved" }
  | { kind: "tab"; tab: TabState };

interface Snapshot {
  kind: "whole";
  format: number;
  tab: TabState;
  graph: Workflow;
  log: Log;
  /** Whether the graph is unchanged since it was last saved or opened. */
  saved: boolean;
}

type Line = { n: number } & (Step | Snapshot);

export interface Replayed {
  graph: Workflow;
  log: Log;
  saved: boolean;
  tab: TabState;
  /** The number of the last line that was read. */
  last: number;
  /** Whether later lines could not be read. */
  truncated: boolean;
}

export function lineOf(n: number, step: Step): string {
  return `${writeJson({ n, ...step })}\n`;
}

export function snapshotLine(n: number, whole: Omit<Snapshot, "kind" | "format">): string {
  return `${writeJson({ n, kind: "whole", format: FORMAT, ...whole })}\n`;
}

/**
 * The steps that lead from one log to a later one; null where there are none. The first `floor`
 * entries of `before` are not in the journal, so steps must not undo them.
 */
export function stepsBetween(before: Log, after: Log, floor = 0): Step[] | null {
  const steps: Step[] = [];
  const shared = sharedLength(before.done, after.done);
  const removed = before.done.slice(shared);
  const added = after.done.slice(shared);
  let undone: readonly Entry[] = before.undone;
  if (threadsDiffer(before.done, after.done, shared - 1)) return null;
  let thread = before.done[shared - 1]?.thread ?? null;
  const [extended] = added;
  const [last] = removed;
  if (removed.length === 1 && last && extended && isExtension(last, extended)) {
    const from = sharedSteps(last, extended);
    const patches = extended.patches.slice(from);
    steps.push({ kind: "more", from, patches, inverses: extended.inverses.slice(from) });
    undone = [];
    thread = last.thread;
    added.shift();
  } else if (removed.length > 0) {
    steps.push({ kind: "undo", count: removed.length });
    undone = [...undone, ...removed.reverse()];
  }
  /** Records that the typing or dragging of the entry before `place` has ended. */
  const closeBefore = (place: number) => {
    if (thread !== null && after.done[place - 1]?.thread === null) {
      steps.push({ kind: "close" });
      thread = null;
    }
  };
  let place = after.done.length - added.length;
  let count = 0;
  while (added[count] !== undefined && isSame(added[count], undone.at(-1 - count))) count += 1;
  if (count > 0) {
    closeBefore(place);
    steps.push({ kind: "redo", count });
    undone = undone.slice(0, -count);
    thread = null;
    place += count;
  }
  for (const entry of added.slice(count)) {
    closeBefore(place);
    steps.push({ kind: "edit", ...entry });
    undone = [];
    thread = entry.thread;
    place += 1;
  }
  closeBefore(place);
  const reached = shared >= floor && thread === (after.done.at(-1)?.thread ?? null);
  return reached && isSameList(undone, after.undone) ? steps : null;
}

function sharedLength(one: readonly Entry[], other: readonly Entry[]): number {
  let shared = 0;
  while (one[shared] !== undefined && isSame(one[shared], other[shared])) shared += 1;
  return shared;
}

function threadsDiffer(one: readonly Entry[], other: readonly Entry[], until: number): boolean {
  for (let index = 0; index < until; index += 1) {
    if (one[index]?.thread !== other[index]?.thread) return true;
  }
  return false;
}

/** Entries are copied when they move between lists, but their patches are not. */
function isSame(one: Entry | undefined, other: Entry | undefined): boolean {
  return one?.patches === other?.patches;
}

function isSameList(one: readonly Entry[], other: readonly Entry[]): boolean {
  return one.length === other.length && sharedLength(one, other) === one.length;
}

/** Whether `extended` continues the typing or dragging of `entry`. */
function isExtension(entry: Entry, extended: Entry): boolean {
  return (
    entry.thread !== null &&
    isSameLabel(entry.label, extended.label) &&
    entry.path.join() === extended.path.join() &&
    (extended.thread === entry.thread || extended.thread === null)
  );
}

/** The number of first steps that an extended entry shares with its earlier form. */
function sharedSteps(entry: Entry, extended: Entry): number {
  let shared = 0;
  while (
    entry.patches[shared] !== undefined &&
    entry.patches[shared] === extended.patches[shared] &&
    entry.inverses[shared] === extended.inverses[shared]
  ) {
    shared += 1;
  }
  return shared;
}

/** The newest entries of a log, at most so many entries and characters, and the number left out. */
export function tailOf(log: Log, entries: number, characters: number): { log: Log; left: number } {
  let left = log.done.length;
  let remaining = characters;
  while (left > 0 && log.done.length - left < entries) {
    remaining -= writeJson(log.done[left - 1]).length;
    if (remaining < 0) break;
    left -= 1;
  }
  return { log: { done: log.done.slice(left), undone: log.undone }, left };
}

/** Reads a journal as far as possible; null where not even its first line can be read. */
export function replay(text: string): Replayed | null {
  let state: Replayed | null = null;
  let start = 0;
  while (start < text.length) {
    const end = text.indexOf("\n", start);
    const next: Replayed | null = end < 0 ? null : after(state, text.slice(start, end));
    if (next === null) return state && { ...state, truncated: true };
    state = next;
    start = end + 1;
  }
  return state;
}

function after(state: Replayed | null, text: string): Replayed | null {
  const line = parseLine(text);
  if (line === null || (state !== null && line.n !== state.last + 1)) return null;
  if (line.kind === "whole") {
    const { graph, log, saved, tab, n } = line;
    return { graph: { ...emptyGraph(), ...graph }, log, saved, tab, last: n, truncated: false };
  }
  if (state === null) return null;
  try {
    return { ...state, ...applyStep(state, line), last: line.n };
  } catch {
    // The line does not fit the lines before it: reading ends here, and `truncated` reports it.
    return null;
  }
}

function parseLine(text: string): Line | null {
  let value: Json;
  try {
    value = parseJson(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (!isObject(value) || typeof value.n !== "number") return null;
  if (value.kind === "whole" && value.format !== FORMAT) return null;
  return value as unknown as Line;
}

function applyStep(state: Replayed, step: Step): Partial<Replayed> {
  switch (step.kind) {
    case "edit": {
      const { label, thread, path, patches, inverses } = step;
      return { ...advance(state, { label, thread, path, patches, inverses }), saved: false };
    }
    case "more":
      return { ...extend(state, step.from, step), saved: false };
    case "undo":
    case "redo": {
      const move = step.kind === "undo" ? undo : redo;
      let moved = { graph: state.graph, log: state.log };
      for (let count = 0; count < step.count; count += 1) moved = move(moved);
      return { ...moved, saved: false };
    }
    case "close":
      return { log: close(state.log) };
    case "saved":
      return { saved: true };
    case "tab":
      return { tab: step.tab };
    default:
      throw new Error("This line says nothing that is known here.");
  }
}
