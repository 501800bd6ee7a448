/** The actions for the selected results. */

import {
  Copy,
  Download,
  FileInput,
  GitCompareArrows,
  Grid3x3,
  Hash,
  ImageUp,
  RotateCcw,
  SplitSquareHorizontal,
  Star,
  Trash2,
} from "lucide-react";
import type { ComponentType } from "react";
import type { ListedJob } from "../api/results";
import { changeFilter, chosenJobs, star, useHistory } from "../state/outcomes/history";
import { outputOf } from "../state/outcomes/outputs";
import { compareWithOpen, compareWorkflows } from "../state/results/difference";
import { compareJobs, latestBeside } from "../state/results/lightbox";
import { copyFact, downloadJobs, giveAsInput, openResult } from "../state/results/results";
import { reproduce } from "../state/results/startReproduce";
import { type Editor, useEditor } from "../state/session/editor";
import { t } from "../words/words";

interface Action {
  label: string;
  /** Shows only its icon. */
  brief?: true;
  Icon: ComponentType<{ size: number; "aria-hidden": true }>;
  run: () => void;
}

export function ChosenBar() {
  const editor = useEditor();
  const chosen = useHistory((state) => state.chosen);
  // Read again after each change of a star.
  useHistory((state) => state.jobs);
  if (chosen.size === 0) return null;
  const jobs = chosenJobs();
  return (
    <div className="chosen" role="toolbar" aria-label={t("Selected results")}>
      <span className="found">{t("{{count}} selected", { count: chosen.size })}</span>
      {actionsFor(editor, jobs).map(({ label, brief, Icon, run }) => (
        <button
          key={label}
          type="button"
          className="chip"
          title={brief && label}
          aria-label={label}
          onClick={run}
        >
          <Icon size={12} aria-hidden />
          {!brief && label}
        </button>
      ))}
    </div>
  );
}

function actionsFor(editor: Editor, jobs: readonly ListedJob[]): Action[] {
  const ids = jobs.map((job) => job.id);
  const starred = jobs.every((job) => job.starred);
  const [first, second] = jobs;
  return [
    {
      label: starred ? t("Remove the star") : t("Add a star"),
      brief: true,
      Icon: Star,
      run: () => void star(ids, !starred),
    },
    ...(jobs.length === 1 && first !== undefined ? actionsForOne(editor, first) : []),
    ...(jobs.length === 2 && first !== undefined && second !== undefined
      ? actionsForTwo(first, second)
      : []),
    { label: t("Download"), brief: true, Icon: Download, run: () => void downloadJobs(ids) },
    {
      label: t("Remove"),
      brief: true,
      Icon: Trash2,
      run: () => useHistory.setState({ asking: ids }),
    },
  ];
}

function actionsForOne(editor: Editor, job: ListedJob): Action[] {
  const { id, batch } = job;
  const made = outputOf(job);
  const latest = latestBeside(id);
  const actions: (Action | null)[] = [
    { label: t("Open its workflow"), Icon: FileInput, run: () => void openResult(id) },
    {
      label: t("Reproduce"),
      brief: true,
      Icon: RotateCcw,
      run: () => reproduce(editor, id),
    },
    made === null
      ? null
      : { label: t("Use as an input"), Icon: ImageUp, run: () => giveAsInput(editor, made.file) },
    {
      label: t("Copy the prompt"),
      brief: true,
      Icon: Copy,
      run: () => void copyFact(id, "prompt"),
    },
    { label: t("Copy the seed"), brief: true, Icon: Hash, run: () => void copyFact(id, "seed") },
    made?.medium !== "image" || latest === undefined
      ? null
      : {
          label: t("Compare with the latest"),
          Icon: SplitSquareHorizontal,
          run: () => compareJobs(job, latest),
        },
    {
      label: t("Differences from the open workflow"),
      Icon: GitCompareArrows,
      run: () => void compareWithOpen(editor, id),
    },
    batch === undefined
      ? null
      : {
          label: t("Show its batch"),
          brief: true,
          Icon: Grid3x3,
          run: () => changeFilter({ batch, search: "" }),
        },
  ];
  return actions.filter((each) => each !== null);
}

/** The gallery has the newest first; a comparison goes from the earlier to the later. */
function actionsForTwo(later: ListedJob, earlier: ListedJob): Action[] {
  return [
    {
      label: t("Compare"),
      Icon: SplitSquareHorizontal,
      run: () => compareJobs(earlier, later),
    },
    {
      label: t("Differences of their workflows"),
      Icon: GitCompareArrows,
      run: () => void compareWorkflows(earlier.id, later.id),
    },
  ];
}
