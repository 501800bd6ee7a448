/** The newest results, and the previews of the current run. */
import { ArrowRight, LoaderCircle } from "lucide-react";
import type { ListedJob } from "../api/results";
import { useRuns } from "../state/outcomes/runs";
import { openLightbox } from "../state/results/lightbox";
import { pictureOf } from "../state/results/pictureActions";
import { showDock } from "../state/session/view";
import { t } from "../words/words";
import { Picture } from "./Picture";
import { ResultTools } from "./ResultTools";

export function Results() {
  const past = useRuns((state) => state.past);
  const running = useRuns((state) => Object.keys(state.active).length > 0);
  const preview = useRuns((state) => Object.values(state.previews)[0]);
  if (past.length === 0 && !running) {
    return <p className="empty">{t("Results appear here. Press Run.")}</p>;
  }
  return (
    <ul className="results">
      {running && (
        <li className="thumb now">
          {preview === undefined ? (
            <LoaderCircle size={18} className="spin" aria-label={t("Running")} />
          ) : (
            <img src={preview} alt={t("Preview of the current run")} />
          )}
        </li>
      )}
      {past.map((job, index) => (
        <Thumb key={job.id} job={job} index={index} />
      ))}
      {past.length > 0 && (
        <li className="thumb more">
          <button type="button" onClick={() => showDock("history")}>
            <ArrowRight size={16} aria-hidden />
            {t("All results")}
          </button>
        </li>
      )}
    </ul>
  );
}

function Thumb({ job, index }: { job: ListedJob; index: number }) {
  const name = job.preview_output?.filename ?? job.title ?? job.id.slice(0, 8);
  return (
    <li className={`thumb ${job.status}`}>
      <button
        type="button"
        data-picture={pictureOf(job)}
        onClick={() => openLightbox("recent", index)}
      >
        {/* Not an aria-label: an accessible name must contain the visible text. */}
        <span className="unseen">{t("View {{name}}", { name })}</span>
        <Picture job={job} size={256} />
      </button>
      <ResultTools job={job} />
    </li>
  );
}
