/**
 * The dock with results, queue, history, problems and the log: always at the same place, with an adjustable
 * height.
 */

import { ChevronDown, ChevronUp, ListX, Pause, Play } from "lucide-react";
import { type KeyboardEvent, Suspense } from "react";
import { holdText, pauseQueue, useQueue } from "../state/outcomes/queue";
import { cancelAll } from "../state/runs/running";
import { type DockTab, heightOfDock, toggleDock, useView } from "../state/session/view";
import { part } from "../widgets/part";
import { usePointerDrag } from "../widgets/pointerDrag";
import { t } from "../words/words";
import { Problems, useProblemCount } from "./Problems";
import { Results } from "./Results";

const Queue = part(() => import("./Queue").then((module) => module.Queue));
const Logs = part(() => import("./Logs").then((module) => module.Logs));
const History = part(() => import("./History").then((module) => module.History));

const LOWEST = 112;
const STEP = 24;
const ABOVE = 240;

export function Dock() {
  const dock = useView((state) => state.dock);
  const height = useView(heightOfDock);
  return (
    <section
      className={dock === null ? "dock closed" : "dock"}
      style={dock === null ? undefined : { height }}
      aria-label={t("Results and queue")}
    >
      {dock !== null && <Handle height={height} />}
      <Head />
      <div className="held" role="tabpanel" aria-label={dock === null ? "" : titleOf(dock)}>
        {dock === "results" && <Results />}
        <Suspense fallback={<p className="empty">{t("Loading")}</p>}>
          {dock === "queue" && <Queue />}
          {dock === "history" && <History />}
          {dock === "logs" && <Logs />}
        </Suspense>
        {dock === "problems" && <Problems />}
      </div>
    </section>
  );
}

const TABS: readonly DockTab[] = ["results", "queue", "history", "problems", "logs"];

function titleOf(tab: DockTab): string {
  const titles = {
    results: t("Results"),
    queue: t("Queue"),
    history: t("History"),
    problems: t("Problems"),
    logs: t("Log"),
  };
  return titles[tab];
}

function Head() {
  const dock = useView((state) => state.dock);
  const { paused, held, total, running } = useQueue();
  const problems = useProblemCount();
  const counts: Partial<Record<DockTab, number>> = { queue: total + running.length, problems };
  return (
    <header>
      <div role="tablist" aria-label={t("Results and queue")}>
        {TABS.map((key) => (
          <button
            key={key}
            type="button"
            role="tab"
            aria-selected={dock === key}
            className={key === "problems" && problems > 0 ? "wrong" : ""}
            onClick={() => toggleDock(key)}
          >
            {titleOf(key)}
            {(counts[key] ?? 0) > 0 && <span className="count">{` ${counts[key]}`}</span>}
          </button>
        ))}
      </div>
      {(paused || held !== null) && (
        <span className="held-back" role="status">
          {paused ? t("The queue is paused") : holdText(held)}
        </span>
      )}
      <span className="space" />
      {held !== null && !paused && (
        <button type="button" onClick={() => void pauseQueue(false)}>
          <Play size={13} aria-hidden />
          {t("Try again")}
        </button>
      )}
      {(paused || dock === "queue") && (
        <button type="button" onClick={() => void pauseQueue(!paused)}>
          {paused ? <Play size={13} aria-hidden /> : <Pause size={13} aria-hidden />}
          {paused ? t("Resume") : t("Pause")}
        </button>
      )}
      {total + running.length > 0 && (
        <button type="button" onClick={() => void cancelAll()}>
          <ListX size={13} aria-hidden />
          {t("Cancel all")}
        </button>
      )}
      <button
        type="button"
        aria-label={dock === null ? t("Open") : t("Close")}
        onClick={() => toggleDock(dock ?? "results")}
      >
        {dock === null ? (
          <ChevronUp size={14} aria-hidden />
        ) : (
          <ChevronDown size={14} aria-hidden />
        )}
      </button>
    </header>
  );
}

/** The upper edge: dragged, or moved with the arrow keys; a double click resets the height. */
function Handle({ height }: { height: number }) {
  const highest = Math.max(window.innerHeight - ABOVE, LOWEST);
  const resize = (to: number) =>
    useView.setState({ dockHeight: Math.round(Math.min(Math.max(to, LOWEST), highest)) });
  const handlers = usePointerDrag<number, HTMLDivElement>({
    begin: () => height,
    move: (_, event) => resize(window.innerHeight - event.clientY),
    cancel: resize,
  });
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowUp: STEP, ArrowDown: -STEP }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    resize(height + by);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: an hr element cannot be dragged
    <div
      className="edge"
      role="separator"
      tabIndex={0}
      aria-orientation="horizontal"
      aria-label={t("Height of the results")}
      aria-valuenow={height}
      aria-valuemin={LOWEST}
      aria-valuemax={highest}
      {...handlers}
      onDoubleClick={() => useView.setState({ dockHeight: null })}
      onKeyDown={onKeyDown}
    />
  );
}
