/** The frame of results, queue and problems: always in the same place. */
import { ChevronDown, ChevronUp } from "lucide-react";
import { cancelAll } from "../state/running";
import { useRuns } from "../state/runs";
import { type DockTab, toggleDock, useView } from "../state/view";
import { Problems, useProblemCount } from "./Problems";
import { Queue } from "./Queue";
import { Clear, Results } from "./Results";

export function Dock() {
  const dock = useView((state) => state.dock);
  const waiting = useRuns((state) => state.waiting);
  const count = useProblemCount();
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
