/** The newest results, and what is being made. */
import { FileInput, LoaderCircle, Trash2 } from "lucide-react";
import { type Job, viewUrl } from "../api/client";
import { openJob } from "../state/files";
import { forgetAll, workflowOf } from "../state/running";
import { useRuns } from "../state/runs";
import { tellError, useView } from "../state/view";

export function Clear() {
  const past = useRuns((state) => state.past);
  if (past.length === 0) return null;
  const clear = () => {
    if (window.confirm("Forget all that has run? The pictures stay in the output folder.")) {
      void forgetAll();
    }
  };
  return (
    <button type="button" aria-label="Forget all that has run" onClick={clear}>
      <Trash2 size={13} aria-hidden />
    </button>
  );
}

export function Results() {
  const past = useRuns((state) => state.past);
  const running = useRuns((state) => state.running);
  const preview = useRuns((state) => Object.values(state.previews)[0]);
  if (past.length === 0 && running === null) {
    return <p className="empty">What you make appears here. Press Run.</p>;
  }
  return (
    <ul className="results">
      {running !== null && (
        <li className="thumb now">
          {preview === undefined ? (
            <LoaderCircle size={18} className="spin" aria-label="Running" />
          ) : (
            <img src={preview} alt="What is being made" />
          )}
        </li>
      )}
      {past.map((job) => (
        <Thumb key={job.id} job={job} />
      ))}
    </ul>
  );
}

function Thumb({ job }: { job: Job }) {
  const file = job.preview_output;
  const isPicture = file?.mediaType === undefined || file.mediaType === "images";
  const open = async () => {
    try {
      await openJob(job.id, await workflowOf(job.id));
    } catch (error) {
      tellError(error);
    }
  };
  return (
    <li className={`thumb ${job.status}`}>
      {file !== undefined && isPicture ? (
        <button
          type="button"
          aria-label={`Look at ${file.filename}`}
          onClick={() => useView.setState({ lightbox: viewUrl(plainFile(file)) })}
        >
          <img src={viewUrl(plainFile(file), "webp;80")} alt={file.filename} loading="lazy" />
        </button>
      ) : (
        <span className="word" title={job.execution_error?.exception_message}>
          {{ completed: "done", failed: "failed", cancelled: "stopped" }[job.status as string] ??
            job.status}
        </span>
      )}
      <span className="tools">
        <button
          type="button"
          aria-label="Open its workflow"
          title="Open its workflow"
          onClick={() => void open()}
        >
          <FileInput size={13} aria-hidden />
        </button>
      </span>
    </li>
  );
}

function plainFile({
  filename,
  subfolder,
  type,
}: {
  filename: string;
  subfolder: string;
  type: string;
}) {
  return { filename, subfolder, type };
}
