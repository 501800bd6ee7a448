/** What runs and what waits. */
import { X } from "lucide-react";
import type { Job } from "../api/client";
import { cancelJob } from "../state/running";
import { useRuns } from "../state/runs";

export function Queue() {
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
