/** The most frequent actions for a result, on its thumbnail. */

import { FileInput, ImageDown, ImageUp } from "lucide-react";
import type { ListedJob } from "../api/results";
import { outputOf } from "../state/outcomes/outputs";
import { downloadJobs, giveAsInput, openResult } from "../state/results/results";
import { useEditor } from "../state/session/editor";
import { t } from "../words/words";

export function ResultTools({ job }: { job: ListedJob }) {
  const editor = useEditor();
  const made = outputOf(job);
  return (
    <span className="tools">
      {made?.medium === "image" && (
        <button
          type="button"
          aria-label={t("Use as an input")}
          title={t("Use as an input")}
          onClick={() => giveAsInput(editor, made.file)}
        >
          <ImageUp size={13} aria-hidden />
        </button>
      )}
      {made !== null && (
        <button
          type="button"
          aria-label={t("Download")}
          title={t("Download")}
          onClick={() => void downloadJobs([job.id])}
        >
          <ImageDown size={13} aria-hidden />
        </button>
      )}
      <button
        type="button"
        aria-label={t("Open its workflow")}
        title={t("Open its workflow")}
        onClick={() => void openResult(job.id)}
      >
        <FileInput size={13} aria-hidden />
      </button>
    </span>
  );
}
