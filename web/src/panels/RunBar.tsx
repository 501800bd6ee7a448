/** Run, next to the work: what will happen, then what is happening. */
import { LoaderCircle, Play, Square } from "lucide-react";
import { useEffect, useState } from "react";
import { titleOfPrompt } from "../state/levels";
import { interrupt, run } from "../state/running";
import { placeOf, useRuns } from "../state/runs";
import { activeTab, useActive, useStudio } from "../state/studio";
import { useView } from "../state/view";

export function RunBar() {
  const connection = useRuns((state) => state.connection);
  const remaining = useRuns((state) => state.remaining);
  const running = useRuns((state) => state.running);
  const sending = useRuns((state) => state.sending);
  const busy = remaining > 0 || running !== null;
  const tab = useActive((each) => each.id);
  const report = useRuns((state) => state.problems[tab]);
  const wrong = Object.keys(report?.node_errors ?? {}).length;
  return (
    <section className={busy ? "run-bar busy" : "run-bar"} aria-label="Run">
      <button
        type="button"
        className="primary"
        disabled={connection !== "open" || sending}
        title="Run  Ctrl+Enter"
        onClick={() => void run()}
      >
        {sending ? (
          <LoaderCircle size={15} className="spin" aria-hidden />
        ) : (
          <Play size={15} fill="currentColor" aria-hidden />
        )}
        Run
      </button>
      <div className="plan" aria-live="polite">
        {connection !== "open" ? (
          <span className="warn">The server is away. Your work is kept.</span>
        ) : running !== null ? (
          <Now />
        ) : remaining > 0 ? (
          <span>{remaining === 1 ? "Waiting to start" : `${remaining} waiting`}</span>
        ) : report?.error != null ? (
          <button
            type="button"
            className="link warn"
            onClick={() => useView.setState({ dock: "problems" })}
          >
            {wrong > 0 ? plural(wrong, "node needs", "nodes need") : report.error.message}
            {wrong > 0 && " a look"}
          </button>
        ) : (
          <Plan />
        )}
      </div>
      {busy && (
        <button
          type="button"
          className="stop"
          aria-label="Stop"
          title="Stop  Ctrl+Alt+Enter"
          onClick={() => void interrupt()}
        >
          <Square size={12} fill="currentColor" aria-hidden />
          Stop
        </button>
      )}
      {running !== null && <TotalProgress />}
    </section>
  );
}

function Plan() {
  const count = useActive((tab) => tab.graph.order.length);
  return <span>{count === 0 ? "Nothing to run yet" : plural(count, "node", "nodes")}</span>;
}

function Now() {
  const running = useRuns((state) => state.running);
  const tab = useActive((each) => each);
  const catalog = useStudio((state) => state.catalog);
  const place = running?.node == null ? "" : placeOf(running.tab, running.node);
  const step = useRuns((state) => state.nodes[place]);
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 500);
    return () => clearInterval(timer);
  }, []);
  if (running === null) return null;
  const title =
    running.node === null ? "Starting" : (titleOfPrompt(tab, running.node, catalog) ?? "Starting");
  return (
    <span>
      <b>{title}</b>
      {step !== undefined && step.state === "running" && step.max > 1 && (
        <>
          {" "}
          {step.value} of {step.max}
          {left(step.value, step.max, now - step.started)}
        </>
      )}
    </span>
  );
}

/** What is left, judged by the steps so far. */
function left(value: number, max: number, spent: number): string {
  if (value < 2 || spent < 1000) return "";
  const seconds = ((spent / value) * (max - value)) / 1000;
  return seconds < 1 ? "" : `, ${Math.ceil(seconds)} s left`;
}

function TotalProgress() {
  const tab = useRuns((state) => state.running?.tab);
  const nodes = useRuns((state) => state.nodes);
  const total = Object.keys(activeTab().graph.nodes).length;
  const done = Object.entries(nodes)
    .filter(([place]) => place.startsWith(`${tab}/`))
    .reduce((sum, [, { state, value, max }]) => {
      if (state === "finished" || state === "cached") return sum + 1;
      return state === "running" && max > 0 ? sum + value / max : sum;
    }, 0);
  return (
    <div className="total" style={{ width: `${Math.min(done / Math.max(total, 1), 1) * 100}%` }} />
  );
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
