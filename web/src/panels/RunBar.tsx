/** The run bar: the Run button, what a run would do, and the progress of the current one. */

import { ChevronDown, Dices, LoaderCircle, Play, Square } from "lucide-react";
import { Suspense, useEffect, useRef, useState } from "react";
import { titleOfPrompt } from "../state/editing/levels";
import { canRoll } from "../state/fields/rolling";
import { leftOf, rateOf, reasonOf, shareOf, stepsLeft, wordsOf } from "../state/outcomes/plan";
import { holdText, useQueue } from "../state/outcomes/queue";
import { type ActiveRun, placeOf, runBeside, useRuns } from "../state/outcomes/runs";
import { wholeSentence } from "../state/outcomes/sentences";
import { interrupt, run } from "../state/runs/running";
import { runCommand } from "../state/session/commandRegistry";
import { useEditor } from "../state/session/editor";
import { client } from "../state/session/server";
import { useActive, useStudio } from "../state/session/studio";
import { showDock } from "../state/session/view";
import { t } from "../words/words";
import { RunCount } from "./RunCount";
import "./run.css";
import { withKey } from "../state/commands/keymap";
import { part } from "../widgets/part";
import { rateWords, spanOf } from "../words/format";

const RunMenu = part(() => import("./RunMenu").then((module) => module.RunMenu));

/** The server ends a worker that has not reacted to an interrupt after this many seconds. */
const GRACE = 10;

export function RunBar() {
  const editor = useEditor();
  const connection = useRuns((state) => state.connection);
  const remaining = useRuns((state) => state.remaining);
  const tab = useActive((each) => each.id);
  const running = useRuns((state) => runBeside(state, tab));
  const [open, setOpen] = useState(false);
  const bar = useRef<HTMLElement>(null);
  const busy = remaining > 0 || running !== null;
  return (
    <section ref={bar} className={busy ? "run-bar busy" : "run-bar"} aria-label={t("Run")}>
      <div className="split">
        <RunButton />
        <button
          type="button"
          className="primary more"
          aria-label={t("More ways to run")}
          aria-haspopup="menu"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          <ChevronDown size={14} aria-hidden />
        </button>
      </div>
      <RunCount />
      <Suspense>{open && <RunMenu bar={bar} onClose={() => setOpen(false)} />}</Suspense>
      <div className="plan">
        {connection !== "open" ? (
          <span className="warn">{t("The server cannot be reached. Your work is kept.")}</span>
        ) : running !== null ? (
          <Now running={running} />
        ) : remaining > 0 ? (
          <Waiting count={remaining} />
        ) : (
          <Before />
        )}
      </div>
      {busy && (
        <button
          type="button"
          className="stop"
          aria-label={t("Stop")}
          title={withKey(t("Stop now"), "run.stop")}
          onClick={() => void interrupt(editor)}
        >
          <Square size={12} fill="currentColor" aria-hidden />
          <span>{t("Stop")}</span>
        </button>
      )}
      {running !== null && <Total running={running} />}
    </section>
  );
}

function RunButton() {
  const editor = useEditor();
  const connection = useRuns((state) => state.connection);
  const sending = useRuns((state) => state.sending);
  return (
    <button
      type="button"
      className={connection === "open" ? "primary" : "primary away"}
      title={withKey(t("Run"), "run.run")}
      onClick={() => void run(editor)}
    >
      {sending ? (
        <LoaderCircle size={15} className="spin" aria-hidden />
      ) : (
        <Play size={15} fill="currentColor" aria-hidden />
      )}
      {t("Run")}
    </button>
  );
}

/** The reason why the first pending job has not started. */
function Waiting({ count }: { count: number }) {
  const paused = useQueue((state) => state.paused);
  const held = useQueue((state) => state.held);
  const loading = useLoading();
  const reason = paused
    ? t("The queue is paused")
    : held !== null
      ? holdText(held)
      : loading
        ? t("The engine is still loading")
        : null;
  return (
    <span className="foreseen">
      <span>{t("{{count}} pending", { count })}</span>
      <span className="costs">{reason ?? t("Starting")}</span>
    </span>
  );
}

const LOOK_AGAIN = 2_000;

/** Whether the worker is still loading; polled while a job is pending. */
function useLoading(): boolean {
  const [loading, setLoading] = useState(false);
  useEffect(() => {
    let over = false;
    const look = async () => {
      try {
        const { system } = await client.machine();
        if (!over) setLoading(system.worker?.ready === false);
      } catch {
        // The bar itself reports a server that does not answer.
      }
    };
    void look();
    const timer = setInterval(() => void look(), LOOK_AGAIN);
    return () => {
      over = true;
      clearInterval(timer);
    };
  }, []);
  return loading;
}

/** What a run would do, or what keeps the document from running. */
function Before() {
  const tab = useActive((each) => each.id);
  const isEmpty = useActive((each) => each.workflow.order.length === 0);
  const report = useRuns((state) => state.problems[tab]);
  const plan = useRuns((state) => state.plans[tab]);
  const hasSeeds = useActive((each) => canRoll(each.workflow));
  if (isEmpty) return <span>{t("Nothing to run yet")}</span>;
  const whole = wholeSentence(report);
  if (whole !== null) {
    // The sentence names the missing classes; the list names the nodes that need them.
    const found = Object.values(report?.node_errors ?? {});
    const wrong = found.filter((node) =>
      node.errors.some((error) => error.type !== "missing_node_type"),
    ).length;
    return (
      <button
        type="button"
        className="link warn"
        title={whole}
        onClick={() => showDock("problems")}
      >
        {wrong > 0 ? t("{{count}} nodes have problems", { count: wrong }) : whole}
      </button>
    );
  }
  if (plan === undefined) return null;
  const [what, ...costs] = wordsOf(plan);
  if (plan.run === 0 && what !== undefined && hasSeeds) {
    return (
      <span key="anew" className="foreseen anew">
        <span title={what}>{what}</span>
        <button type="button" className="chip" onClick={() => runCommand("run.newSeed")}>
          <Dices size={13} aria-hidden />
          {t("New seed and run")}
        </button>
      </span>
    );
  }
  return (
    <span className="foreseen" title={reasonOf(plan)}>
      <span>{what}</span>
      {costs.length > 0 && <span className="costs">{costs.join(" · ")}</span>}
    </span>
  );
}

/** The current time, updated twice a second. */
function useNow(): number {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 500);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function Now({ running }: { running: ActiveRun }) {
  const now = useNow();
  const stopping = useRuns((state) => state.stopping);
  const tab = useActive((each) => each);
  const catalog = useStudio((state) => state.catalog);
  const step = useRuns((state) => state.nodes[placeOf(running.tab, running.node ?? "")]);
  const title = titleOfPrompt(tab, running.node ?? "", catalog) ?? t("Starting");
  if (stopping !== null) return <Stopping title={title} seconds={(now - stopping) / 1000} />;
  const works = step?.state === "running" && step.max > 1;
  const rate = works ? rateOf(step) : null;
  const own = works ? stepsLeft(step) : null;
  const left =
    running.plan === null
      ? own
      : leftOf(
          running.plan,
          running.shares,
          own === null || running.node === null ? {} : { [running.node]: own },
        );
  const costs = [
    ...(rate === null ? [] : [rateWords(rate)]),
    ...(left === null || left < 1 ? [] : [t("{{time}} left", { time: spanOf(Math.ceil(left)) })]),
  ];
  return (
    <span className="foreseen">
      <span>
        <b>{title}</b>
        {works && ` ${t("{{step}} of {{steps}}", { step: step.value, steps: step.max })}`}
      </span>
      {/* Never one line only: the first would move when the second comes. */}
      <span className="costs">{costs.join(" · ") || doneOf(running)}</span>
    </span>
  );
}

/** How much of the run is done, where the time left is not known. */
function doneOf({ plan, shares }: ActiveRun): string {
  const share = plan === null ? 0 : Math.round(shareOf(plan, shares) * 100);
  return t("{{share}} % of the run", { share });
}

/**
 * The node that an interrupt waits for: nodes check after each step, and after each part of a
 * network.
 */
function Stopping({ title, seconds }: { title: string; seconds: number }) {
  const left = Math.max(0, Math.ceil(GRACE - seconds));
  return (
    <span className="foreseen">
      <span>
        <b>{t("Stopping…")}</b>
      </span>
      <span className="costs">
        {seconds < 1
          ? t("waits for {{node}}", { node: title })
          : t("waits for {{node}}; its worker is ended in {{seconds}} s", {
              node: title,
              seconds: left,
            })}
      </span>
    </span>
  );
}

/** The progress of the whole run, weighted by the earlier cost of its nodes. */
function Total({ running }: { running: ActiveRun }) {
  const { plan, shares } = running;
  const share = plan === null ? 0 : shareOf(plan, shares);
  return (
    <div
      className="total"
      role="progressbar"
      aria-label={t("The whole run")}
      aria-valuenow={Math.round(share * 100)}
      style={{ inlineSize: `${share * 100}%` }}
    />
  );
}
