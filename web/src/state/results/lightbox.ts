/** The state of the lightbox and of the comparison. */

import { create } from "zustand";
import type { ImageFile } from "../../api/jobs";
import type { ListedJob } from "../../api/results";
import { readAround, useHistory } from "../outcomes/history";
import { outputOf } from "../outcomes/outputs";
import { useRuns } from "../outcomes/runs";
import { notifyError, useView } from "../session/view";

/** A list of results to browse. */
type Shelf = "recent" | "history";

export interface Side {
  file: ImageFile;
  label: string;
  job: string | null;
}

interface LightboxState {
  /** null while a single picture is shown, by its URL in `useView().lightbox`. */
  shelf: Shelf | null;
  /** The result itself, as its index changes when the list grows. */
  job: ListedJob | undefined;
  /** The index among the job's files. */
  file: number;
  /** The file to begin with once the job's files are known. */
  wanted: ImageFile | null;
  facts: boolean;
  /** The page that shows it, where that is not the editor's own. */
  within: Document | null;
  compared: { one: Side; other: Side } | null;
}

export const useLightbox = create<LightboxState>(() => ({
  shelf: null,
  job: undefined,
  file: 0,
  wanted: null,
  facts: true,
  within: null,
  compared: null,
}));

/** Opens a result of a list, or one that is not in it any more. */
export function openLightbox(shelf: Shelf, at: number, other?: ListedJob): void {
  useView.setState({ lightbox: null });
  const job = jobsOn(shelf)[at] ?? other;
  useLightbox.setState({ shelf, job, file: 0, wanted: null, within: null });
}

/** The result's current index in its list. */
export function indexOnShelf({ shelf, job }: Pick<LightboxState, "shelf" | "job">): number {
  return shelf === null ? -1 : jobsOn(shelf).findIndex((each) => each?.id === job?.id);
}

export function closeLightbox(): void {
  useView.setState({ lightbox: null });
  useLightbox.setState({ shelf: null, within: null });
}

export function jobsOn(shelf: Shelf): readonly (ListedJob | undefined)[] {
  return shelf === "recent" ? useRuns.getState().past : useHistory.getState().jobs;
}

/** Shows the next result in that direction; pages of the gallery are loaded as needed. */
export async function showNext(by: number): Promise<void> {
  const { shelf, job } = useLightbox.getState();
  if (shelf === null) return;
  const at = indexOnShelf({ shelf, job });
  const to = at + by;
  if (at < 0 || to < 0 || to >= jobsOn(shelf).length) return;
  if (shelf === "history") {
    await readAround(to - 2, to + 2).catch(notifyError);
    useHistory.setState({ at: to });
  }
  useLightbox.setState({ job: jobsOn(shelf)[to], file: 0, wanted: null });
}

function compare(one: Side, other: Side): void {
  useLightbox.setState({ compared: { one, other } });
}

/** Compares a picture, whatever made it, with a job's. */
export function compareSides(one: Side, job: ListedJob): void {
  const other = sideOf(job);
  if (other !== null) compare(one, other);
}

function sideOf(job: ListedJob): Side | null {
  const made = outputOf(job);
  if (made?.medium !== "image") return null;
  return { file: made.file, label: made.file.filename, job: job.id };
}

/** Compares two jobs; does nothing where one of them has no picture. */
export function compareJobs(one: ListedJob | undefined, other: ListedJob | undefined): void {
  const sides = [one, other].map((job) => (job === undefined ? null : sideOf(job)));
  const [first, second] = sides;
  if (first != null && second != null) compare(first, second);
}

/** The newest finished result with a picture, other than this one. */
export function latestBeside(id: string): ListedJob | undefined {
  return useRuns
    .getState()
    .past.find(
      (each) => each.id !== id && each.status === "completed" && outputOf(each)?.medium === "image",
    );
}
