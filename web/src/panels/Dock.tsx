/** Results, queue and problems: always in the same place. */
import { ChevronDown, ChevronUp, FileInput, LoaderCircle, Trash2, X } from "lucide-react";
import { type Job, viewUrl } from "../api/client";
import { openJob } from "../state/files";
import { cancelAll, cancelJob, forgetAll, workflowOf } from "../state/running";
import { placeOf, sentencesOf, useRuns } from "../state/runs";
import { activeTab, select, titleOf, useActive, useStudio } from "../state/studio";
import { type DockTab, tellError, toggleDock, useView } from "../state/view";

export function Dock() {
  const dock = useView((state) => state.dock);
  const waiting = useRuns((state) => state.waiting);
  const tab = useActive((each) => each.id);
  const report = useRuns((state) => state.problems[tab]);
  const failures = useRuns((state) => state.failures);
  const failed = Object.keys(failures).filter((place) => place.startsWith(`${tab}/`)).length;
  const count = Object.keys(report?.node_errors ?? {}).length + failed;
  const labels: [DockTab, string][] = [
    ["results", "Results"],
    ["queue", waiting.length > 0 ? `Queue ${waiting.length}` : "Queue"],
    ["problems", count > 0 ? `Problems ${count}` : "Problems"],
  ];
  return (
    <section className={dock === null ? "dock closed" : "dock"} aria-label="Results and queue">
      <header role="tablist">
        {labels.map(([key, label]) => (
          <button
            key={key}
            type="button"
            role="tab"
            aria-selected={dock === key}
            className={key === "problems" && count > 0 ? "wrong" : ""}
            onClick={() => toggleDock(key)}
          >
            {label}
          </button>
        ))}
        <span className="space" />
        {dock === "queue" && waiting.length > 0 && (
          <button type="button" onClick={() => void cancelAll()}>
            Cancel all
          </button>
        )}
        {dock === "results" && <Clear />}
        <button
          type="button"
          aria-label={dock === null ? "Open" : "Close"}
          onClick={() => toggleDock(dock ?? "results")}
        >
          {dock === null ? (
            <ChevronUp size={14} aria-hidden />
          ) : (
            <ChevronDown size={14} aria-hidden />
          )}
        </button>
      </header>
      {dock === "results" && <Results />}
      {dock === "queue" && <Queue />}
      {dock === "problems" && <Problems />}
    </section>
  );
}

function Clear() {
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

function Results() {
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

function Queue() {
  const waiting = useRuns((state) => state.waiting);
  const past = useRuns((state) => state.past);
  return (
    <ul className="queue">
      {waiting.length === 0 && past.length === 0 && <p className="empty">Nothing waits.</p>}
      {waiting.map((job) => (
        <li key={job.id} className={job.status}>
          <i className={`state ${job.status === "in_progress" ? "running" : "waiting"}`} />
          <span>{job.status === "in_progress" ? "Running" : "Waiting"}</span>
          <code>{job.id.slice(0, 8)}</code>
          <time>{clock(job.create_time)}</time>
          <button type="button" aria-label="Cancel" onClick={() => void cancelJob(job.id)}>
            <X size={13} aria-hidden />
          </button>
        </li>
      ))}
      {past.slice(0, 20).map((job) => (
        <li key={job.id} className={job.status}>
          <i className={`state ${job.status === "completed" ? "finished" : "wrong"}`} />
          <span>
            {{ completed: "Done", failed: "Failed", cancelled: "Stopped" }[job.status as string]}
          </span>
          <code>{job.id.slice(0, 8)}</code>
          <time>{clock(job.create_time)}</time>
          <span className="took">{took(job)}</span>
          <span className="reason">{job.execution_error?.exception_message}</span>
        </li>
      ))}
    </ul>
  );
}

function clock(milliseconds: number | undefined): string {
  return milliseconds === undefined ? "" : new Date(milliseconds).toLocaleTimeString();
}

function took({ execution_start_time: start, execution_end_time: end }: Job): string {
  return start === undefined || end === undefined ? "" : `${((end - start) / 1000).toFixed(1)} s`;
}

function Problems() {
  const tab = useActive((each) => each.id);
  const report = useRuns((state) => state.problems[tab]);
  const failures = useRuns((state) => state.failures);
  const catalog = useStudio((state) => state.catalog);
  const { graph } = activeTab();
  const lines = [
    ...Object.entries(report?.node_errors ?? {}).flatMap(([node, problems]) =>
      sentencesOf(problems).map((text) => ({ node, text })),
    ),
    ...graph.order.flatMap((node) => {
      const text = failures[placeOf(tab, node)];
      return text === undefined ? [] : [{ node, text }];
    }),
  ];
  if (lines.length === 0) {
    const text = report?.error?.message ?? "All is well: this workflow can run.";
    return <p className="empty">{text}</p>;
  }
  return (
    <ul className="queue problem-list">
      {lines.map(({ node, text }) => {
        const found = graph.nodes[node];
        return (
          <li key={`${node} ${text}`}>
            <i className="state wrong" />
            <button type="button" className="link" onClick={() => select([node])}>
              {found === undefined ? `Node ${node}` : titleOf(found, catalog[found.type])}
            </button>
            <span className="reason">{text}</span>
          </li>
        );
      })}
    </ul>
  );
}
