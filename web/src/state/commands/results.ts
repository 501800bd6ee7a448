/** Commands for the queue, the history, and comparing results. */

import { t } from "../../words/words";
import { announce } from "../outcomes/announcements";
import { changeFilter, chosenJobs, star, useHistory } from "../outcomes/history";
import { outputOf } from "../outcomes/outputs";
import {
  type Move,
  moveInQueue,
  pauseQueue,
  queueRow,
  useQueue,
  useQueueRow,
} from "../outcomes/queue";
import { useRuns } from "../outcomes/runs";
import { closeDifference, compareWithOpen, useDifference } from "../results/difference";
import { compareJobs, latestBeside, openLightbox } from "../results/lightbox";
import { giveAsInput, openResult } from "../results/results";
import { openStageWindow, toggleStage } from "../results/stage";
import { reproduce } from "../results/startReproduce";
import { cancelAll, cancelJob } from "../runs/running";
import type { Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { activeTab } from "../session/studio";
import { toggleDock, useView } from "../session/view";

const newest = () => useRuns.getState().past[0];
const anyResult = () => useRuns.getState().past.length > 0;
const current = () => (useView.getState().dock === "history" ? chosenJobs()[0] : newest());

function isPending(): boolean {
  return queueRow() !== undefined;
}

function moving(move: Move, title: string, key: string): Command {
  const run = async () => {
    const job = queueRow();
    if (job === undefined) return;
    useView.setState({ dock: "queue" });
    // The job stays selected when it is moved.
    useQueueRow.setState({ id: job.id });
    await moveInQueue(job.id, move);
    const { waiting, total } = useQueue.getState();
    const place = waiting.findIndex(({ id }) => id === job.id) + 1;
    if (place > 0) announce(t("{{place}} of {{total}}", { place, total }));
  };
  return { id: `queue.${move}`, title, group: "Run", keys: [key], enabled: isPending, run };
}

export const resultCommands: readonly Command[] = [
  {
    id: "view.stage",
    title: "Show or hide the stage with the newest result",
    group: "View",
    keys: ["Alt+S"],
    app: true,
    run: toggleStage,
  },
  {
    id: "view.stageWindow",
    title: "Show the stage in a window of its own",
    group: "View",
    app: true,
    run: openStageWindow,
  },
  {
    id: "run.batch",
    title: "Run a batch: seeds, values, grids",
    group: "Run",
    keys: ["Ctrl+Shift+B"],
    enabled: () => activeTab().graph.order.length > 0,
    run: () => useView.setState({ sheet: "batch" }),
  },
  {
    id: "queue.pause",
    title: "Pause or resume the queue",
    group: "Run",
    run: () => pauseQueue(!useQueue.getState().paused),
  },
  {
    id: "queue.cancelAll",
    title: "Cancel all running and pending runs",
    group: "Run",
    enabled: () => useQueue.getState().total + useQueue.getState().running.length > 0,
    run: cancelAll,
  },
  moving("first", "Run the chosen pending run next", "Ctrl+Shift+Home"),
  moving("up", "Move the chosen pending run up", "Ctrl+Shift+ArrowUp"),
  moving("down", "Move the chosen pending run down", "Ctrl+Shift+ArrowDown"),
  {
    id: "queue.remove",
    title: "Cancel the chosen pending run",
    group: "Run",
    enabled: isPending,
    run: () => cancelJob(queueRow()?.id ?? ""),
  },
  {
    id: "history.show",
    title: "Show or hide the history",
    group: "View",
    keys: ["Shift+H"],
    run: () => toggleDock("history"),
  },
  {
    id: "history.starred",
    title: "Show the starred results",
    group: "View",
    run: () => {
      useView.setState({ dock: "history" });
      changeFilter({ starred: true });
    },
  },
  {
    id: "result.look",
    title: "View the newest result",
    group: "View",
    app: true,
    enabled: anyResult,
    run: () => openLightbox("recent", 0),
  },
  {
    id: "result.star",
    title: "Star the result",
    group: "Edit",
    app: true,
    enabled: anyResult,
    run: () => {
      const job = current();
      if (job !== undefined) void star([job.id], !job.starred);
    },
  },
  {
    id: "result.open",
    title: "Open the workflow of the result",
    group: "File",
    enabled: anyResult,
    run: () => {
      const job = current();
      if (job !== undefined) void openResult(job.id);
    },
  },
  {
    id: "result.reproduce",
    title: "Reproduce the result",
    group: "File",
    enabled: anyResult,
    run: () => {
      const job = current();
      if (job !== undefined) reproduce(activeEditor(), job.id);
    },
  },
  {
    id: "result.input",
    title: "Use the result as an input",
    group: "Edit",
    enabled: anyResult,
    run: () => {
      const job = current();
      const made = job === undefined ? null : outputOf(job);
      if (made !== null) giveAsInput(activeEditor(), made.file);
    },
  },
  {
    id: "result.compare",
    title: "Compare two results",
    group: "View",
    app: true,
    enabled: anyResult,
    run: () => {
      const chosen = useHistory.getState().chosen.size === 2 ? chosenJobs() : [];
      const later = chosen[0] ?? newest();
      if (later !== undefined) compareJobs(chosen[1] ?? latestBeside(later.id), later);
    },
  },
  {
    id: "result.difference",
    title: "Differences between the open workflow and the result",
    group: "View",
    enabled: anyResult,
    run: () => {
      const job = current();
      if (job !== undefined) void compareWithOpen(activeEditor(), job.id);
    },
  },
  {
    id: "result.closeDifference",
    title: "Hide the differences",
    group: "View",
    keys: ["Escape"],
    enabled: () => useDifference.getState().compared !== null,
    run: closeDifference,
  },
];
