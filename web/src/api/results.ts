/** The routes for the queue's order and for what has run; see `client.ts`, which includes them. */
import { routeUrl } from "./address";
import type { ImageFile, Job, JobStatus } from "./jobs";
import type { Transport } from "./transport";

/** Where in its batch a job stands: what each axis varies, and the job's value on each. */
export interface BatchPlace {
  axes: readonly BatchAxis[];
  at: readonly number[];
}

export interface BatchAxis {
  label: string;
  values: readonly string[];
}

/** A job with what is noted beside it. */
export interface ListedJob extends Job {
  workflow_id?: string;
  title?: string;
  /** How the prompt begins. */
  excerpt?: string;
  batch?: string;
  place?: unknown;
  starred?: true;
  /** How a text begins that one of its nodes showed. */
  preview_text?: string;
}

/** What the server has to say to its user, until it is dismissed; `text` is English. */
export interface ServerNotice {
  id: number;
  kind: string;
  text: string;
  details: Record<string, unknown>;
}

export interface QueueListing {
  paused: boolean;
  /** Why nothing is begun although the queue is not paused, as an English sentence. */
  held: string | null;
  running: ListedJob[];
  waiting: ListedJob[];
  /** How many wait in all. */
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
}

interface HistoryPage {
  jobs: ListedJob[];
  total: number;
  /** Dates and how many there are of each, newest first. */
  days?: [string, number][];
  workflows?: { id: string; title: string; count: number }[];
}

export function resultsRoutes({ read, post }: Transport) {
  return {
    queue: (limit: number) => read<QueueListing>(`/api/calotype/queue?limit=${limit}`),
    notices: async () => (await read<{ notices: ServerNotice[] }>("/api/calotype/notices")).notices,
    dismissNotice: (id: number) => post("/api/calotype/notices/dismiss", { id }),
    /** null is behind all that waits. */
    moveInQueue: (id: string, before: string | null) =>
      post("/api/calotype/queue/move", { prompt_id: id, before }),
    /** Takes out what waits, stops what runs, whoever queued it. */
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
      if (days) {
        query.set("days", "true");
        query.set("zone", String(-new Date().getTimezoneOffset()));
      }
      return await read<HistoryPage>(`/api/calotype/history?${query}`);
    },
    star: (ids: readonly string[], starred: boolean) =>
      post("/api/calotype/history/star", { job_ids: ids, starred }),
    /** Forgets; with `files`, deletes what they made, too. Outlives the page that asks for it. */
    deleteJobs: (ids: readonly string[], files: boolean) =>
      post("/api/calotype/history/delete", { job_ids: ids, files }, { keepalive: true }),
  };
}

/** A thumbnail no larger than this on its longest side. */
export function thumbnailUrl({ filename, subfolder, type }: ImageFile, size: number): string {
  const query = new URLSearchParams({ filename, subfolder, type, preview: "webp;80" });
  return routeUrl(`/api/view?${query}&size=${size}`);
}

/** A place as the editor writes it; others may have said anything. */
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
