/**
 * Removes what is stored about documents once they are closed: states of nodes, results, problems,
 * plans, seeds, uploads. A document that is reopened gets the results of the last run again.
 */

import { forgetUploads } from "../fields/media";
import { forgetSeeds } from "../fields/seeds";
import { forgetNeeds } from "../files/needs";
import { forgetConflicts } from "../files/saving";
import { forgetRuns, useRuns } from "../outcomes/runs";
import { useStudio } from "../session/studio";
import { notifyError } from "../session/view";
import { showLastResults } from "./running";

/** The number of closed documents that are recognised when they are reopened. */
const MAX_CLOSED = 20;

function forget(tab: string): void {
  forgetRuns(tab);
  forgetSeeds(tab);
  forgetUploads(tab);
  forgetNeeds(tab);
  forgetConflicts(tab);
}

/** Starts removing it. Returns a function that ends it. */
export function watchClosing(): () => void {
  let open = new Set(useStudio.getState().tabs.map(({ id }) => id));
  let closed: readonly string[] = [];
  const onTabs = () => {
    const { tabs } = useStudio.getState();
    if (tabs.length === open.size && tabs.every(({ id }) => open.has(id))) return;
    const before = open;
    open = new Set(tabs.map(({ id }) => id));
    const gone = [...before].filter((id) => !open.has(id));
    for (const id of gone) forget(id);
    if (closed.some((id) => open.has(id))) showLastResults().catch(notifyError);
    closed = [...closed, ...gone].filter((id) => !open.has(id)).slice(-MAX_CLOSED);
  };
  const ends = [
    useStudio.subscribe(onTabs),
    // What a run goes on to report after its document was closed.
    useRuns.subscribe(({ active }, before) => {
      if (active === before.active) return;
      for (const { prompt, tab } of Object.values(before.active))
        if (!(prompt in active) && !open.has(tab)) forget(tab);
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}
