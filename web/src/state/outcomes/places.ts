/** The state of a run as shown on a node: its own, or for an instance that of its inner nodes. */

import type { NodeProblems, ValidationReport } from "../../api/client";
import { subgraphOf } from "../../document/graph";
import { useTab } from "../session/editor";
import { promptIdOf, type Tab } from "../session/studio";
import type { NodeOutputs } from "./outputs";
import { type NodeRun, placeOf, useRuns } from "./runs";
import { sentencesOf } from "./sentences";

/** The key under which the run's state of a node of the level shown is stored. */
export function placeHere(tab: Tab, key: string): string {
  return placeOf(tab.id, promptIdOf(tab, key));
}

export function isInstance(tab: Tab, key: string): boolean {
  return subgraphOf(tab.workflow.definitions, tab.graph.nodes[key]?.type) !== undefined;
}

/** The stored value of a place; for an instance, the newest of its inner nodes. */
function atPlace<Value>(
  all: Readonly<Record<string, Value>>,
  place: string,
  instance: boolean,
): Value | undefined {
  if (!instance || place in all) return all[place];
  return Object.entries(all).findLast(([each]) => each.startsWith(`${place}:`))?.[1];
}

const WEIGHT = { running: 4, error: 3, finished: 2, cached: 1, waiting: 0 } as const;

/** The run state of a node; an instance runs while any inner node does. */
export function runAt(
  all: Readonly<Record<string, NodeRun>>,
  place: string,
  instance: boolean,
): NodeRun | undefined {
  if (!instance) return all[place];
  let found: NodeRun | undefined;
  for (const [each, run] of Object.entries(all)) {
    if (!each.startsWith(`${place}:`)) continue;
    if (found === undefined || WEIGHT[run.state] >= WEIGHT[found.state]) found = run;
  }
  return found;
}

/** The problems of a node, or of the first inner node of an instance that has any. */
export function problemsAt(
  report: ValidationReport | undefined,
  id: string,
  instance: boolean,
): NodeProblems | undefined {
  return report === undefined ? undefined : atPlace(report.node_errors, id, instance);
}

/** The sentences about a node; for an instance, about all its inner nodes too. */
function sentencesAt(
  report: ValidationReport | undefined,
  id: string,
  instance: boolean,
): readonly string[] {
  if (report === undefined) return [];
  const all = sentencesOf(report);
  if (all.size === 0 || !instance) return all.get(id) ?? [];
  return [...all].flatMap(([each, found]) =>
    each === id || each.startsWith(`${id}:`) ? found : [],
  );
}

/** The last run's state of a node of the level shown, and the node's current problems. */
export function useRunOf(key: string) {
  const tab = useTab((each) => each.id);
  const id = useTab((each) => promptIdOf(each, key));
  const instance = useTab((each) => isInstance(each, key));
  const place = placeOf(tab, id);
  const run = useRuns((state) => runAt(state.nodes, place, instance));
  const shown = useRuns((state) => atPlace(state.shown, place, instance));
  const preview = useRuns((state) => atPlace(state.previews, place, instance));
  // One string rather than a new list, which would cause a render with every change of any run.
  const problemSentences = useRuns(
    ({ failures, problems }) =>
      atPlace(failures, place, instance) ?? sentencesAt(problems[tab], id, instance).join("\n"),
  );
  const former = useRuns((state) => atPlace(state.former, place, instance));
  const sentences: readonly string[] = problemSentences === "" ? [] : problemSentences.split("\n");
  // The outcome of a run that may be outdated is shown by `former` alone.
  return { run: former === undefined ? run : undefined, shown, preview, sentences, former };
}

/** Whether a node of the level shown has pictures or texts to show. */
export function shows(
  tab: Tab,
  shown: Readonly<Record<string, NodeOutputs>>,
  key: string,
): boolean {
  return atPlace(shown, placeHere(tab, key), isInstance(tab, key)) !== undefined;
}
