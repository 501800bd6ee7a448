/** At a node's title: what the next run will do with it, how far it is now, what it took. */
import { Check } from "lucide-react";
import { costOf, markOf, rateOf, stepsLeft } from "../state/runs/plan";
import { type NodeRun, useRuns } from "../state/runs/runs";
import { useSetting } from "../state/settings";
import { promptIdOf, useActive } from "../state/studio";
import { t } from "../words/words";
import "./run.css";
import { bytesOf, rateWords, spanOf } from "../words/format";

interface Props {
  node: string;
  run: NodeRun | undefined;
}

/** `former`: why it failed in the last run, where that may be mended by now. */
export function RunMark({ node, run, former }: Props & { former: string | undefined }) {
  const tab = useActive((each) => each.id);
  const id = useActive((each) => promptIdOf(each, node));
  const mark = useRuns(({ plans, running }) => {
    const plan = plans[tab];
    // Where all nodes are alike, marks would say nothing; while a run goes, it speaks for itself.
    if (plan === undefined || plan.run === 0 || plan.cached === 0) return null;
    return running?.tab === tab && run?.state === "finished" ? null : markOf(plan, id);
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
          title={`${t("Failed in the last run, edited since")}\n${former}`}
        />
      )}
      {mark === "cached" && (
        <i
          className="next cached"
          role="img"
          aria-label={t("cached")}
          title={t("Cached: will not run again")}
        />
      )}
      {mark === "run" && (
        <i className="next" role="img" aria-label={t("will run")} title={t("Will run")} />
      )}
    </>
  );
}

/** 12/20, 3.2 it/s, 3 s left: as much of it as is known. */
function Working({ run }: { run: NodeRun }) {
  if (run.max <= 1) return null;
  const rate = rateOf(run);
  const left = stepsLeft(run);
  return (
    <span className="mark">
      {run.value}/{run.max}
      {rate !== null && ` · ${rateWords(rate)}`}
      {left !== null && left >= 1 && ` · ${spanOf(Math.ceil(left))}`}
    </span>
  );
}

function Last({ run }: { run: NodeRun | undefined }) {
  const alwaysShown = useSetting("calotype.timings");
  if (run?.state !== "finished" || alwaysShown) return null;
  return (
    <span className="mark">
      {run.took !== null && run.took >= 100 ? (
        spanOf(run.took / 1000)
      ) : (
        <Check size={12} aria-label={t("done")} />
      )}
    </span>
  );
}

/** Above the node, where one wants to see it: its last time, and the memory at the highest. */
export function Timing({ node, run }: Props) {
  const wanted = useSetting("calotype.timings");
  const tab = useActive((each) => each.id);
  const id = useActive((each) => promptIdOf(each, node));
  const plan = useRuns((state) => (wanted ? state.plans[tab] : undefined));
  if (!wanted) return null;
  const expected = costOf(plan, id);
  const seconds = run?.took == null ? expected.seconds : run.took / 1000;
  const memory = run?.memory ?? expected.memory;
  if (seconds === null) return null;
  return (
    <span className="timing">
      {spanOf(seconds)}
      {memory !== null && ` · ${bytesOf(memory)}`}
    </span>
  );
}
