/** The running and pending jobs in order: moving, pausing, expected durations. */

import { create } from "zustand";
import type { ListedJob, QueueListing } from "../../api/results";
import { t } from "../../words/words";
import { client } from "../session/server";
import { notifyError } from "../session/view";

export const useQueue = create<QueueListing>(() => ({
  paused: false,
  held: null,
  running: [],
  waiting: [],
  total: 0,
}));

const MAX_LISTED = 500;

export async function readQueue(): Promise<void> {
  useQueue.setState(await client.queue(MAX_LISTED));
}

const FULL = /^The disk is full: nothing can be written to (.+)\. The queue is paused/;
const TRIED = /(\d+) tries in a row have failed while (\d+) MB were free/;

/** Why the queue is held, in the user's language where the sentence is known. */
export function holdText(held: string | null): string {
  const folder = held === null ? undefined : FULL.exec(held)?.[1];
  if (held === null || folder === undefined) return held ?? "";
  const full = t(
    "The disk is full: nothing can be written to {{folder}}. The queue continues when there is space.",
    { folder },
  );
  const [, tries, free] = TRIED.exec(held) ?? [];
  return tries === undefined || free === undefined
    ? full
    : `${full} ${t("{{tries}} attempts in a row failed with {{free}} MB free: the result may need more space.", { tries, free })}`;
}

export type Move = "first" | "up" | "down" | "last";

/** Moves a pending job; on the screen at once, and back if the server refuses. */
export async function moveInQueue(id: string, move: Move): Promise<void> {
  const { waiting } = useQueue.getState();
  const from = waiting.findIndex((each) => each.id === id);
  const to = { first: 0, up: from - 1, down: from + 1, last: waiting.length - 1 }[move];
  if (from >= 0) await moveTo(id, to);
}

/** The pending job whose row was last focused or hovered; null for none. */
export const useQueueRow = create<{ id: string | null }>(() => ({ id: null }));

/** The job that commands move: the one of the last used row, else the one queued last. */
export function queueRow(): ListedJob | undefined {
  const { waiting } = useQueue.getState();
  const { id } = useQueueRow.getState();
  return waiting.find((each) => each.id === id) ?? waiting.at(-1);
}

/** Moves a pending job to an index, counted without the job itself. */
export async function moveTo(id: string, to: number): Promise<void> {
  const { waiting, total } = useQueue.getState();
  const job = waiting.find((each) => each.id === id);
  if (job === undefined || to < 0 || to >= waiting.length || waiting[to]?.id === id) return;
  const others = waiting.filter((each) => each !== job);
  const before = others[to]?.id ?? null;
  // Not all pending jobs are listed, so the end of the list is not the end of the queue.
  if (before === null && total > waiting.length) return;
  useQueue.setState({ waiting: others.toSpliced(to, 0, job) });
  await attempt(() => client.moveInQueue(id, before));
}

export async function pauseQueue(paused: boolean): Promise<void> {
  useQueue.setState({ paused });
  await attempt(() => client.pauseQueue(paused));
}

async function attempt(action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    notifyError(error);
  }
  await readQueue().catch(notifyError);
}

/** Runs shorter than this share of the longest had most of their results cached. */
const FULL_SHARE = 0.1;

/** The expected duration of a job in milliseconds: the median of its workflow's last full runs. */
export function expectedOf(job: ListedJob, past: readonly ListedJob[]): number | null {
  const spent = past
    .filter((each) => each.status === "completed" && each.workflow_id === job.workflow_id)
    .flatMap(({ execution_start_time: start, execution_end_time: end }) =>
      start === undefined || end === undefined || job.workflow_id === undefined
        ? []
        : [end - start],
    )
    .slice(0, 7)
    .sort((one, other) => one - other);
  const whole = spent.filter((each) => each >= (spent.at(-1) ?? 0) * FULL_SHARE);
  return whole[Math.floor(whole.length / 2)] ?? null;
}
