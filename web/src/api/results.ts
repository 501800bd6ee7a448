/** The routes for the queue and for finished jobs; included by `client.ts`. */
import { routeUrl } from "./address";
import type { ImageFile, Job, JobStatus } from "./jobs";
import type { Transport } from "./transport";

/** The position of a job in its batch: the batch's axes, and the job's value on each. */
export interface BatchPlace {
  axes: readonly BatchAxis[];
  at: readonly number[];
}

export interface BatchAxis {
  label: string;
  values: readonly string[];
}

/** A job with its listed details. */
export interface ListedJob extends Job {
  workflow_id?: string;
  title?: string;
  /** The beginning of the prompt's text. */
  excerpt?: string;
  batch?: string;
  place?: unknown;
  starred?: true;
  /** The beginning of a text that one of its nodes showed. */
  preview_text?: string;
}

/** A notice of the server to the user, shown until it is dismissed; `text` is English. */
export interface ServerNotice {
  id: number;
  kind: string;
  text: string;
  details: Record<string, unknown>;
}

export interface QueueListing {
  paused: boolean;
  /** Why no job starts although the queue is not paused, as an English sentence; else null. */
  held: string | null;
  running: ListedJob[];
  waiting: ListedJob[];
  /** The number of all pending jobs. */
  total: number;
}

export interface HistoryQuery {
  search?: string;
  status?: readonly JobStatus[];
  workflow?: string;
  batch?: string;
  starred?: boolean;
  since?: number;
  until?: number;
  /** Without runs that only showed the file of an earlier run again. */
  distinct?: boolean;
}

interface HistoryPage {
  jobs: ListedJob[];
  total: number;
  /** Dates with the number of jobs of each, newest first. */
  days?: [string, number][];
  workflows?: { id: string; title: string; count: number }[];
}

export function resultsRoutes({ read, post }: Transport) {
  return {
    queue: (limit: number) => read<QueueListing>(`/api/calotype/queue?limit=${limit}`),
    notices: async () => (await read<{ notices: ServerNotice[] }>("/api/calotype/notices")).notices,
    dismissNotice: (id: number) => post("/api/calotype/notices/dismiss", { id }),
    /** Moves a job before another one; null moves it to the end of the queue. */
    moveInQueue: (id: string, before: string | null) =>
      post("/api/calotype/queue/move", { prompt_id: id, before }),
    /** Removes pending jobs and interrupts running ones, of any client. */
    cancelJobs: (ids: readonly string[]) => post("/api/jobs/cancel", { job_ids: ids }),
    pauseQueue: (paused: boolean) => post("/api/calotype/queue/pause", { paused }),
    async history(
      wanted: HistoryQuery,
      { limit, offset = 0, days = false }: { limit: number; offset?: number; days?: boolean },
    ): Promise<HistoryPage> {
      const query = new URLSearchParams({ limit: String(limit), offset: String(offset) });
      if (wanted.search) query.set("search", wanted.search);
      if (wanted.status !== undefined) query.set("status", wanted.status.join(","));
      if (wanted.workflow !== undefined) query.set("workflow_id", wanted.workflow);
      if (wanted.batch !== undefined) query.set("batch", wanted.batch);
      if (wanted.starred === true) query.set("starred", "true");
      if (wanted.since !== undefined) query.set("since", String(wanted.since));
      if (wanted.until !== undefined) query.set("until", String(wanted.until));
      if (wanted.distinct === true) query.set("distinct", "true");
      if (days) {
        query.set("days", "true");
        query.set("zone", String(-new Date().getTimezoneOffset()));
      }
      return await read<HistoryPage>(`/api/calotype/history?${query}`);
    },
    star: (ids: readonly string[], starred: boolean) =>
      post("/api/calotype/history/star", { job_ids: ids, starred }),
    /**
     * Deletes jobs and their repeats from the history; with `files`, their output files too. The request survives the
     * closing of the page.
     */
    deleteJobs: (ids: readonly string[], files: boolean) =>
      post(
        "/api/calotype/history/delete",
        { job_ids: ids, files, repeats: true },
        { keepalive: true },
      ),
  };
}

/** The URL of a thumbnail; `size` bounds its longest side, in pixels. */
export function thumbnailUrl({ filename, subfolder, type }: ImageFile, size: number): string {
  const query = new URLSearchParams({ filename, subfolder, type, preview: "webp;80" });
  return routeUrl(`/api/view?${query}&size=${size}`);
}

/** Validates a position in a batch, as other clients may have stored anything. */
export function readPlace(value: unknown): BatchPlace | null {
  if (typeof value !== "object" || value === null || !("axes" in value) || !("at" in value)) {
    return null;
  }
  const { axes, at } = value;
  if (!Array.isArray(axes) || !Array.isArray(at) || axes.length !== at.length) return null;
  const isAxis = (each: unknown): each is BatchAxis =>
    typeof each === "object" &&
    each !== null &&
    "label" in each &&
    typeof each.label === "string" &&
    "values" in each &&
    Array.isArray(each.values);
  if (!axes.every(isAxis)) return null;
  return axes.every((axis, index) => axis.values[Number(at[index])] !== undefined)
    ? { axes, at: at.map(Number) }
    : null;
}
