/** The difference of the two documents being compared; updated while one of them is edited. */
import { diffWorkflows, type LevelDifference } from "../../document/diff";
import type { Workflow } from "../../document/graph";

let last: { one: Workflow; other: Workflow; levels: LevelDifference[] } | null = null;

/** The difference on every level; computed once for each pair. */
export function differenceOf(one: Workflow, other: Workflow): LevelDifference[] {
  if (last?.one !== one || last.other !== other) {
    last = { one, other, levels: diffWorkflows(one, other) };
  }
  return last.levels;
}
