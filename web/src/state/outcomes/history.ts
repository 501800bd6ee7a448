/**
 * Finished jobs as a gallery: the number of each day is loaded at once, the jobs themselves page by
 * page as they come into view. Deletion is delayed by some seconds, so that it can be undone.
 */

import { create } from "zustand";
import type { JobStatus } from "../../api/jobs";
import type { HistoryQuery, ListedJob } from "../../api/results";
import { t } from "../../words/words";
import { client } from "../session/server";
import { notify, notifyError, useView } from "../session/view";

interface Filter {
  search: string;
  status: JobStatus | null;
  starred: boolean;
  workflow: string | null;
  batch: string | null;
  /** Only the last so many days; null for all. */
  days: number | null;
}

interface History {
  filter: Filter;
  /** By place, newest first; undefined where not loaded yet. */
  jobs: readonly (ListedJob | undefined)[];
  days: readonly [string, number][];
  workflows: readonly { id: string; title: string; count: number }[];
  /** null until the first page is loaded. */
  total: number | null;
  /** Increased whenever the list is reloaded: what is in view must then be read again. */
  revision: number;
  chosen: ReadonlySet<string>;
  /** The place that keys act on. */
  at: number;
  /** The start of a range being selected; null for none. */
  anchor: number | null;
  /** The ids of jobs that are about to be deleted. */
  removing: ReadonlySet<string>;
  /** The jobs that the open dialog asks about: remove them only, or delete their files too. */
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
const UNDO_TIME = 8_000;
const ENDED_STATUSES: readonly JobStatus[] = ["completed", "failed", "cancelled"];

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
  removing: new Set(),
  asking: null,
}));

function queryOf({ search, status, starred, workflow, batch, days }: Filter): HistoryQuery {
  return {
    search,
    status: status === null ? ENDED_STATUSES : [status],
    starred,
    // A batch has a place for each of its runs, and a repeat may be what was starred.
    distinct: batch === null && !starred,
    ...(workflow === null ? {} : { workflow }),
    ...(batch === null ? {} : { batch }),
    ...(days === null ? {} : { since: new Date().setHours(0, 0, 0, 0) - (days - 1) * 86_400_000 }),
  };
}

/** Responses to requests from before the last reload or change of filter are ignored. */
let requestNumber = 0;
let pagesLoading = new Set<number>();
/** Pages that still show the state from before the last reload. */
let stalePages = new Set<number>();

/**
 * Reloads the number of jobs and their days. Until their pages are loaded again, known results
 * stay, shifted by the number of new ones.
 */
export async function refreshHistory(fromScratch = false): Promise<void> {
  if (useHistory.getState().removing.size > 0) return;
  requestNumber += 1;
  const request = requestNumber;
  pagesLoading = new Set([0]);
  const { filter } = useHistory.getState();
  const found = await client.history(queryOf(filter), { limit: PAGE, days: true });
  if (request !== requestNumber) return;
  const { workflows = [], days = [], total } = found;
  useHistory.setState(({ jobs: before, at, revision }) => {
    const known = fromScratch ? [] : before;
    const shift = total - known.length;
    const jobs = Array.from(
      { length: total },
      (_, place) => found.jobs[place] ?? known[place - shift],
    );
    stalePages = new Set(
      Array.from({ length: Math.ceil(total / PAGE) }, (_, page) => page).slice(1),
    );
    const current = known[at]?.id;
    const moved = current === undefined ? -1 : jobs.findIndex((job) => job?.id === current);
    return {
      jobs,
      days,
      // New jobs have shifted the places.
      anchor: null,
      workflows,
      total,
      revision: revision + 1,
      at: moved >= 0 ? moved : Math.min(at, Math.max(total - 1, 0)),
    };
  });
}

/** A job finished, or was deleted elsewhere. Otherwise the gallery is loaded when it is opened. */
export async function historyChanged(): Promise<void> {
  if (useView.getState().dock === "history") await refreshHistory();
}

/** Loads the pages that contain these places. */
export async function readAround(first: number, last: number): Promise<void> {
  const { total, jobs, filter } = useHistory.getState();
  if (total === null) return;
  const request = requestNumber;
  const pages = new Set<number>();
  for (let place = Math.max(first, 0); place <= Math.min(last, total - 1); place += 1) {
    const page = Math.floor(place / PAGE);
    if (jobs[place] === undefined || stalePages.has(page)) pages.add(page);
  }
  await Promise.all(
    [...pages]
      .filter((page) => !pagesLoading.has(page))
      .map(async (page) => {
        pagesLoading.add(page);
        try {
          const found = await client.history(queryOf(filter), {
            limit: PAGE,
            offset: page * PAGE,
          });
          if (request !== requestNumber) return;
          stalePages.delete(page);
          useHistory.setState(({ jobs: known }) => {
            const next = [...known];
            found.jobs.forEach((job, index) => {
              next[page * PAGE + index] = job;
            });
            return { jobs: next };
          });
        } finally {
          pagesLoading.delete(page);
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

/** Selects the range from its start to this place, which keys act on from now on. */
export async function extendTo(to: number): Promise<void> {
  const { at, anchor } = useHistory.getState();
  const from = anchor ?? at;
  useHistory.setState({ anchor: from, at: to });
  await chooseRange(from, to);
}

/** Selects all from one place to another; loads them first where needed. */
export async function chooseRange(from: number, to: number): Promise<void> {
  const [first, last] = [Math.min(from, to), Math.max(from, to)];
  await readAround(first, last);
  const ids = useHistory
    .getState()
    .jobs.slice(first, last + 1)
    .flatMap((job) => (job === undefined ? [] : [job.id]));
  useHistory.setState({ chosen: new Set(ids) });
}

/** The selected jobs in the gallery's order; without a selection, the one that keys act on. */
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

/** Deletes these jobs after some seconds, until which it can be undone. */
export function removeJobs(ids: readonly string[], files: boolean): void {
  commitRemoval();
  const timer = window.setTimeout(commitRemoval, UNDO_TIME);
  pendingRemoval = { ids, files, timer };
  useHistory.setState({ removing: new Set(ids), chosen: new Set() });
  const values = { count: ids.length };
  notify(files ? t("{{count}} results deleted", values) : t("{{count}} results removed", values), {
    label: t("Undo"),
    run: undoRemoval,
  });
}

export function undoRemoval(): void {
  if (pendingRemoval === null) return;
  clearTimeout(pendingRemoval.timer);
  pendingRemoval = null;
  useHistory.setState({ removing: new Set() });
}

/** Carries out the announced deletion; also when the page is closed. */
function commitRemoval(): void {
  if (pendingRemoval === null) return;
  const { ids, files, timer } = pendingRemoval;
  clearTimeout(timer);
  pendingRemoval = null;
  client
    .deleteJobs(ids, files)
    .catch(notifyError)
    .finally(() => {
      useHistory.setState({ removing: new Set() });
      refreshHistory().catch(notifyError);
    });
}

globalThis.addEventListener?.("pagehide", commitRemoval);
