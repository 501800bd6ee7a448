/**
 * The mark in a node's title: what the next run will do with it, its progress, and its last time.
 */

import { Check } from "lucide-react";
import { costOf, markOf, rateOf, stepsLeft } from "../state/outcomes/plan";
import { type NodeRun, runOf, useRuns } from "../state/outcomes/runs";
import { useTab } from "../state/session/editor";
import { useSetting } from "../state/session/settings";
import { promptIdOf } from "../state/session/studio";
import { t } from "../words/words";
import "./run.css";
import { bytesOf, rateWords, spanOf } from "../words/format";

interface Props {
  node: string;
  run: NodeRun | undefined;
}

/**
 * `former`: why it failed in the last run, if the graph has changed since and that may be fixed.
 */
export function RunMark({ node, run, former }: Props & { former: string | undefined }) {
  const tab = useTab((each) => each.id);
  const id = useTab((each) => promptIdOf(each, node));
  const mark = useRuns((state) => {
    const plan = state.plans[tab];
    // If all nodes have the same state, marks say nothing; during a run, its progress is shown
    // instead.
    if (plan === undefined || plan.run === 0 || plan.cached === 0) return null;
    return runOf(state, tab) !== null && run?.state === "finished" ? null : markOf(plan, id);
  });
  if (run?.state === "running") return <Working run={run} />;
  return (
    <>
      <Last run={run} />
      {former !== undefined && (
        <i
          className="next former"
          role="img"
          aria-label={t("failed in the last run")}
          data-tip={`${t("Failed in the last run, edited since")}\n${former}`}
        />
      )}
      {mark === "cached" && (
        <i
          className="next cached"
          role="img"
          aria-label={t("cached")}
          data-tip={t("Cached: will not run again")}
        />
      )}
      {mark === "run" && (
        <i className="next" role="img" aria-label={t("will run")} data-tip={t("Will run")} />
      )}
    </>
  );
}

/** Progress, such as "12/20, 3.2 it/s, 3 s left": the parts of it that are known. */
function Working({ run }: { run: NodeRun }) {
  if (run.max <= 1) return null;
  const rate = rateOf(run);
  const left = stepsLeft(run);
  const words = [
    `${run.value}/${run.max}`,
    ...(rate === null ? [] : [rateWords(rate)]),
    ...(left === null || left < 1 ? [] : [spanOf(Math.ceil(left))]),
  ];
  // One text: of several, those behind a number would move when it gets another digit.
  return <span className="mark counting">{words.join(" · ")}</span>;
}

function Last({ run }: { run: NodeRun | undefined }) {
  const alwaysShown = useSetting("calotype.timings");
  if (run?.state !== "finished" || alwaysShown) return null;
  return (
    <span className="mark">
      {run.duration !== null && run.duration >= 100 ? (
        spanOf(run.duration / 1000)
      ) : (
        <Check size={12} aria-label={t("done")} />
      )}
    </span>
  );
}

/** Above the node, if the setting is on: the time of its last run and the peak memory. */
export function Timing({ node, run }: Props) {
  const wanted = useSetting("calotype.timings");
  const tab = useTab((each) => each.id);
  const id = useTab((each) => promptIdOf(each, node));
  const plan = useRuns((state) => (wanted ? state.plans[tab] : undefined));
  if (!wanted) return null;
  const expected = costOf(plan, id);
  const seconds = run?.duration == null ? expected.seconds : run.duration / 1000;
  const memory = run?.memory ?? expected.memory;
  if (seconds === null) return null;
  return (
    <span className="timing">
      {spanOf(seconds)}
      {memory !== null && ` · ${bytesOf(memory)}`}
    </span>
  );
}
