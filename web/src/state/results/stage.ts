/**
 * The stage: the newest result, large, docked beside the graph or in a window of its own. The first
 * finished picture opens it, unless the user has closed it before.
 */
import { create } from "zustand";
import type { ListedJob } from "../../api/results";
import { t } from "../../words/words";
import { outputOf } from "../outcomes/outputs";
import { useRuns } from "../outcomes/runs";
import { notify, useView } from "../session/view";

interface StageState {
  /** The result that is shown, which need not be a recent one; null for the newest. */
  job: ListedJob | null;
  /** Whether the result before it is shown under a divider. */
  compares: boolean;
}

export const useStage = create<StageState>(() => ({ job: null, compares: false }));

/** On a narrower window the stage does not open by itself: it would hide the graph. */
const MIN_WIDTH = 960;
/** The name of the second window: opening it again finds it. */
const WINDOW = "calotype-stage";
const FEATURES = "popup,width=880,height=960";

let ownWindow: Window | null = null;

/** The window of the stage while it has one. */
export function stageWindow(): Window | null {
  return ownWindow;
}

/** The finished results with a picture, newest first. */
export function picturesOf(past: readonly ListedJob[]): ListedJob[] {
  return past.filter((job) => job.status === "completed" && outputOf(job)?.medium === "image");
}

export function dockStage(): void {
  ownWindow = null;
  useView.setState({ stage: "docked" });
}

export function closeStage(): void {
  ownWindow = null;
  useView.setState({ stage: "closed" });
}

export function toggleStage(): void {
  const { stage } = useView.getState();
  if (stage === "docked" || stage === "window") closeStage();
  else dockStage();
}

/** Moves the stage to a window of its own; a notice says where the browser forbids one. */
export function openStageWindow(): void {
  const opened = window.open("", WINDOW, FEATURES);
  if (opened === null) {
    notify(
      t("The browser did not open a second window. Allow pop-ups for this address and try again."),
    );
    return;
  }
  ownWindow = opened;
  useView.setState({ stage: "window" });
}

/** Shows a result on the stage, which opens where it is closed. */
export function showOnStage(job: ListedJob): void {
  const { stage } = useView.getState();
  if (stage !== "window") useView.setState({ stage: "docked" });
  useStage.setState({ job });
}

/**
 * Opens the stage at the first picture that a run of this page makes; a newer result replaces the
 * one that is shown. Returns a function that ends it.
 */
export function watchStage(): () => void {
  let isDue = false;
  return useRuns.subscribe(({ past, prompts, lastSuccessful }, before) => {
    isDue ||= lastSuccessful !== before.lastSuccessful;
    if (past === before.past || !isDue) return;
    const [newest] = picturesOf(past);
    if (newest === undefined || newest.id === picturesOf(before.past)[0]?.id) return;
    if (!(newest.id in prompts)) return;
    isDue = false;
    useStage.setState({ job: null });
    if (useView.getState().stage === "unopened" && window.innerWidth >= MIN_WIDTH) dockStage();
  });
}
