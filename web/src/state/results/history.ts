/**
 * What has run, as a gallery: how many of each day are known at once, the jobs themselves are read
 * a page at a time where one looks. Deleting waits some seconds, so that it can be taken back.
 */

import { create } from "zustand";
import type { JobStatus } from "../../api/jobs";
import type { HistoryQuery, ListedJob } from "../../api/results";
import { t } from "../../words/words";
import { client } from "../server";
import { notify, notifyError, useView } from "../view";

interface Filter {
  search: string;
  status: JobStatus | null;
  starred: boolean;
  workflow: string | null;
  batch: string | null;
  /** Not before so many days. */
  days: number | null;
}

interface History {
  filter: Filter;
  /** By place, newest first; undefined is not read yet. */
  jobs: readonly (ListedJob | undefined)[];
  days: readonly [string, number][];
  workflows: readonly { id: string; title: string; count: number }[];
  /** null until the first page is read. */
  total: number | null;
  /** One more whenever the beginning was read anew: what is in sight has to be looked at again. */
  revision: number;
  chosen: ReadonlySet<string>;
  /** The place that the keys act on. */
  at: number;
  /** Where a range that is being chosen began; null while none is. */
  anchor: number | null;
  /** About to be forgotten. */
  leaving: ReadonlySet<string>;
  /** What a question is open about: forget these, or delete their files, too? */
  asking: readonly string[] | null;
}

export const NO_FILTER: Filter = {
  search: "",
  status: null,
  starred: false,
  workflow: null,
  batch: null,
  days: null,
};
export const PAGE = 100;
const UNDO_FOR = 8_000;
const ENDED: readonly JobStatus[] = ["completed", "failed", "cancelled"];

export const useHistory = create<History>(() => ({
  filter: NO_FILTER,
  jobs: [],
  days: [],
  workflows: [],
  total: null,
  revision: 0,
  chosen: new Set(),
  at: 0,
  anchor: null,
  leaving: new Set(),
  asking: null,
}));

function queryOf({ search, status, starred, workflow, batch, days }: Filter): HistoryQuery {
  return {
    search,
    status: status === null ? ENDED : [status],
    starred,
    ...(workflow === null ? {} : { workflow }),
    ...(batch === null ? {} : { batch }),
    ...(days === null ? {} : { since: new Date().setHours(0, 0, 0, 0) - (days - 1) * 86_400_000 }),
  };
}

/** What was asked under an older filter, or before a new beginning, is not taken in. */
let asked = 0;
let reading = new Set<number>();
/** Pages that are shown as they were before something new came. */
let stale = new Set<number>();

/**
 * Reads the beginning anew: how many there are, and their days. Until their pages are read again,
 * results that were known already stay, moved by as many as are new.
 */
export async function refreshHistory(afresh = false): Promise<void> {
  if (useHistory.getState().leaving.size > 0) return;
  asked += 1;
  const turn = asked;
  reading = new Set([0]);
  const { filter } = useHistory.getState();
  const found = await client.history(queryOf(filter), { limit: PAGE, days: true });
  if (turn !== asked) return;
  const { workflows = [], days = [], total } = found;
  useHistory.setState(({ jobs: before, at, revision }) => {
    const known = afresh ? [] : before;
    const shift = total - known.length;
    const jobs = Array.from(
      { length: total },
      (_, place) => found.jobs[place] ?? known[place - shift],
    );
    stale = new Set(Array.from({ length: Math.ceil(total / PAGE) }, (_, page) => page).slice(1));
    const current = known[at]?.id;
    const moved = current === undefined ? -1 : jobs.findIndex((job) => job?.id === current);
    return {
      jobs,
      days,
      // What came since has moved the places.
      anchor: null,
      workflows,
      total,
      revision: revision + 1,
      at: moved >= 0 ? moved : Math.min(at, Math.max(total - 1, 0)),
    };
  });
}

/** Something has run, or was deleted elsewhere; the gallery reads it when it is opened, too. */
export async function historyChanged(): Promise<void> {
  if (useView.getState().dock === "history") await refreshHistory();
}

/** Reads the pages that hold these places. */
export async function readAround(first: number, last: number): Promise<void> {
  const { total, jobs, filter } = useHistory.getState();
  if (total === null) return;
  const turn = asked;
  const pages = new Set<number>();
  for (let place = Math.max(first, 0); place <= Math.min(last, total - 1); place += 1) {
    const page = Math.floor(place / PAGE);
    if (jobs[place] === undefined || stale.has(page)) pages.add(page);
  }
  await Promise.all(
    [...pages]
      .filter((page) => !reading.has(page))
      .map(async (page) => {
        reading.add(page);
        try {
          const found = await client.history(queryOf(filter), {
            limit: PAGE,
            offset: page * PAGE,
          });
          if (turn !== asked) return;
          stale.delete(page);
          useHistory.setState(({ jobs: known }) => {
            const next = [...known];
            found.jobs.forEach((job, index) => {
              next[page * PAGE + index] = job;
            });
            return { jobs: next };
          });
        } finally {
          reading.delete(page);
        }
      }),
  );
}

export function changeFilter(change: Partial<Filter>): void {
  useHistory.setState(({ filter }) => ({
    filter: { ...filter, ...change },
    chosen: new Set(),
    at: 0,
    anchor: null,
  }));
  commitRemoval();
  refreshHistory(true).catch(notifyError);
}

export function choose(ids: Iterable<string>, at?: number): void {
  useHistory.setState((before) => ({ chosen: new Set(ids), at: at ?? before.at, anchor: null }));
}

export function toggleChosen(id: string, at: number): void {
  useHistory.setState(({ chosen }) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    return { chosen: next, at, anchor: null };
  });
}

/** Chooses all between where the range began and this place, which the keys act on from now on. */
export async function extendTo(to: number): Promise<void> {
  const { at, anchor } = useHistory.getState();
  const from = anchor ?? at;
  useHistory.setState({ anchor: from, at: to });
  await chooseRange(from, to);
}

/** All from one place to another, read first where they are not yet. */
export async function chooseRange(from: number, to: number): Promise<void> {
  const [first, last] = [Math.min(from, to), Math.max(from, to)];
  await readAround(first, last);
  const ids = useHistory
    .getState()
    .jobs.slice(first, last + 1)
    .flatMap((job) => (job === undefined ? [] : [job.id]));
  useHistory.setState({ chosen: new Set(ids) });
}

/** What is chosen, in the gallery's order; the one that the keys act on where nothing is. */
export function chosenJobs(): ListedJob[] {
  const { jobs, chosen, at } = useHistory.getState();
  const found = jobs.filter((job) => job !== undefined && chosen.has(job.id));
  const current = jobs[at];
  return found.length > 0 || current === undefined
    ? found.filter((job) => job !== undefined)
    : [current];
}

export async function star(ids: readonly string[], starred: boolean): Promise<void> {
  const known = new Set(ids);
  const marked = (job: ListedJob | undefined) => {
    if (job === undefined || !known.has(job.id)) return job;
    const { starred: _, ...plain } = job;
    return starred ? { ...plain, starred: true as const } : plain;
  };
  useHistory.setState(({ jobs }) => ({ jobs: jobs.map(marked) }));
  try {
    await client.star(ids, starred);
  } catch (error) {
    notifyError(error);
    await refreshHistory();
  }
}

let pendingRemoval: { ids: readonly string[]; files: boolean; timer: number } | null = null;

/** Forgets these in some seconds; until then it can be taken back. */
export function removeJobs(ids: readonly string[], files: boolean): void {
  commitRemoval();
  const timer = window.setTimeout(commitRemoval, UNDO_FOR);
  pendingRemoval = { ids, files, timer };
  useHistory.setState({ leaving: new Set(ids), chosen: new Set() });
  const values = { count: ids.length };
  notify(
    files ? t("{{count}} results deleted", values) : t("{{count}} results forgotten", values),
    {
      label: t("Undo"),
      run: undoRemoval,
    },
  );
}

export function undoRemoval(): void {
  if (pendingRemoval === null) return;
  clearTimeout(pendingRemoval.timer);
  pendingRemoval = null;
  useHistory.setState({ leaving: new Set() });
}

/** Does what was announced; also when the page is left. */
function commitRemoval(): void {
  if (pendingRemoval === null) return;
  const { ids, files, timer } = pendingRemoval;
  clearTimeout(timer);
  pendingRemoval = null;
  client
    .deleteJobs(ids, files)
    .catch(notifyError)
    .finally(() => {
      useHistory.setState({ leaving: new Set() });
      refreshHistory().catch(notifyError);
    });
}

globalThis.addEventListener?.("pagehide", commitRemoval);
