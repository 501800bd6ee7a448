/**
 * The state of the selected node: its problems with their fixes, and what the next run will do with
 * it.
 */

import { AlertTriangle } from "lucide-react";
import type { GraphNode } from "../document/graph";
import { useRunOf } from "../state/outcomes/places";
import { costOf, markOf } from "../state/outcomes/plan";
import { type NodeRun, placeOf, useRuns } from "../state/outcomes/runs";
import { problemsOf } from "../state/runs/fixes";
import { useEditor } from "../state/session/editor";
import { promptIdOf, useActive } from "../state/session/studio";
import { t } from "../words/words";
import { Failure } from "./Failure";
import "./run.css";
import { bytesOf, spanOf } from "../words/format";

export function Health({ node }: { node: GraphNode }) {
  const editor = useEditor();
  const open = useActive((each) => each.id);
  const report = useRuns((state) => state.problems[open]);
  const { node_errors = {}, missing = {} } = report ?? {};
  const isWell = Object.keys(node_errors).length + Object.keys(missing).length === 0;
  const tab = useActive((each) => (isWell ? null : each));
  const errors = useRuns((state) => state.errors);
  const { run } = useRunOf(node.key);
  const id = useActive((each) => promptIdOf(each, node.key));
  const isInside = (each: string) => each === id || each.startsWith(`${id}:`);
  const all = tab === null ? [] : problemsOf(editor, tab, report, {});
  const problems = all.filter((each) => each.node !== null && isInside(each.node));
  const start = placeOf(open, "");
  const failed = Object.keys(errors).find(
    (place) => place.startsWith(start) && isInside(place.slice(start.length)),
  );
  return (
    <>
      <Costs node={id} run={run} />
      {failed !== undefined && <Failure node={failed.slice(start.length)} />}
      {problems.length > 0 && (
        <ul className="problems">
          {problems.map(({ text, fixes }) => (
            <li key={text}>
              <AlertTriangle size={13} aria-hidden />
              <div>
                {text}
                {fixes.length > 0 && (
                  <div className="fixes">
                    {fixes.map((fix) => (
                      <button key={fix.title} type="button" onClick={fix.run}>
                        {fix.title}
                      </button>
                    ))}
                  </div>
                )}
              </div>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** The time of its last run and the expected time of the next one, which may differ. */
function timeWords(
  seconds: number,
  run: NodeRun | undefined,
  mark: ReturnType<typeof markOf>,
): string {
  const time = spanOf(seconds);
  const isToCome = run?.duration == null && (mark === "run" || mark === "maybe");
  return isToCome ? t("about {{time}}", { time }) : t("last run {{time}}", { time });
}

/** A line with what the next run will do with it, and the time and memory of its last one. */
function Costs({ node, run }: { node: string; run: NodeRun | undefined }) {
  const tab = useActive((each) => each.id);
  const plan = useRuns((state) => state.plans[tab]);
  const mark = markOf(plan, node);
  const expected = costOf(plan, node);
  const words: Record<string, string> = {
    run: t("will run"),
    maybe: t("runs if needed"),
    cached: t("cached"),
    unneeded: t("not connected to an output"),
  };
  const seconds = run?.duration == null ? expected.seconds : run.duration / 1000;
  const memory = run?.memory ?? expected.memory;
  if (mark === null && seconds === null) return null;
  return (
    <p className="costs" data-state={mark ?? ""}>
      {mark !== null && <span className="next">{words[mark]}</span>}
      {seconds !== null && <span>{timeWords(seconds, run, mark)}</span>}
      {memory !== null && <span title={t("Peak memory of the worker")}>{bytesOf(memory)}</span>}
    </p>
  );
}
