/**
 * Edits with their inverses: undo and redo without limit. Typing into one field, or dragging, is
 * many edits but one entry, which stores the first and the last value of each place. The caller
 * says which edits belong together (`thread`).
 */
import { apply, create, type Patches } from "mutative";
import { appendStep, type Steps } from "./coalesce";
import type { EditLabel } from "./editLabel";
import type { Workflow } from "./graph";
import { type Path, ROOT } from "./levels";

export interface Entry {
  label: EditLabel;
  /** Consecutive edits with the same thread are undone together; null is never merged. */
  thread: string | null;
  /** The level of the document where it was made. */
  path: Path;
  patches: Patches[];
  /** Newest last; applied from the end. */
  inverses: Patches[];
}

export interface Log {
  done: readonly Entry[];
  undone: readonly Entry[];
}

export interface Recorded {
  graph: Workflow;
  log: Log;
}

export const EMPTY_LOG: Log = { done: [], undone: [] };

type MakeDraft = (
  graph: Workflow,
  edit: (draft: Workflow) => void,
  options: { enablePatches: true },
) => [Workflow, Patches, Patches];
/** The library's own types recurse without end on JSON. */
const draftOf = create as unknown as MakeDraft;

/** Makes an edit. An edit that changes nothing adds no entry. */
export function record(
  { graph, log }: Recorded,
  label: EditLabel,
  edit: (draft: Workflow) => void,
  thread: string | null = null,
  path: Path = ROOT,
): Recorded {
  const [next, patches, inverse] = draftOf(graph, edit, { enablePatches: true });
  if (patches.length === 0) return { graph, log };
  const last = log.done.at(-1);
  const joined =
    thread !== null &&
    last?.thread === thread &&
    last.path.join() === path.join() &&
    log.undone.length === 0;
  const entry: Entry =
    joined && last !== undefined
      ? { ...last, ...appendStep(last, patches, inverse) }
      : { label, thread, path, patches: [patches], inverses: [inverse] };
  const before = joined ? log.done.slice(0, -1) : log.done;
  return { graph: next, log: { done: [...before, entry], undone: [] } };
}

/**
 * Keeps redo after an edit: the later log, with the undone entries of the earlier one, where the
 * new edit and the undone ones touch different places.
 */
export function withUndone(before: Log, after: Log): Log {
  const [newest, { undone }] = [after.done.at(-1), before];
  if (newest === undefined || newest === before.done.at(-1) || undone.length === 0) return after;
  const touched = placesOf([newest]);
  const others = placesOf(undone);
  const areIndependent =
    newest.patches.flat().every(({ op }) => op === "replace") &&
    !touched.some((one) => others.some((other) => one.startsWith(other) || other.startsWith(one)));
  return areIndependent ? { ...after, undone } : after;
}

/** The places that entries change, as strings; a place inside another one has it as a prefix. */
function placesOf(entries: readonly Entry[]): string[] {
  return entries.flatMap(({ patches }) =>
    patches.flat().map(({ path }) => `${[...path].map((part) => JSON.stringify(part)).join()},`),
  );
}

/** Ends the current thread, so that the next edit is a separate entry. */
export function close(log: Log): Log {
  const last = log.done.at(-1);
  if (last === undefined || last.thread === null) return log;
  return { ...log, done: [...log.done.slice(0, -1), { ...last, thread: null }] };
}

/** Repeats a recorded edit. */
export function advance({ graph, log }: Recorded, entry: Entry): Recorded {
  return {
    graph: entry.patches.reduce<Workflow>(patched, graph),
    log: { done: [...log.done, entry], undone: [] },
  };
}

/** Extends the newest entry as recorded: its steps from index `from` on are replaced by these. */
export function extend({ graph, log }: Recorded, from: number, steps: Steps): Recorded {
  const last = log.done.at(-1);
  if (last === undefined) throw new Error("There is no entry to go on with.");
  const entry: Entry = {
    ...last,
    patches: [...last.patches.slice(0, from), ...steps.patches],
    inverses: [...last.inverses.slice(0, from), ...steps.inverses],
  };
  const before = last.inverses.slice(from).reduceRight<Workflow>(patched, graph);
  return {
    graph: steps.patches.reduce<Workflow>(patched, before),
    log: { done: [...log.done.slice(0, -1), entry], undone: [] },
  };
}

export function undo({ graph, log }: Recorded): Recorded {
  const entry = log.done.at(-1);
  if (entry === undefined) return { graph, log };
  return {
    graph: entry.inverses.reduceRight<Workflow>(patched, graph),
    log: { done: log.done.slice(0, -1), undone: [...log.undone, { ...entry, thread: null }] },
  };
}

export function redo({ graph, log }: Recorded): Recorded {
  const entry = log.undone.at(-1);
  if (entry === undefined) return { graph, log };
  return {
    graph: entry.patches.reduce<Workflow>(patched, graph),
    log: { done: [...log.done, entry], undone: log.undone.slice(0, -1) },
  };
}

function patched(graph: Workflow, patches: Patches): Workflow {
  return (apply as unknown as (graph: Workflow, patches: Patches) => Workflow)(graph, patches);
}
