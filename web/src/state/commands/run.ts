/** Commands for running and interrupting. */

import { canRoll } from "../fields/rolling";
import { useRuns } from "../outcomes/runs";
import { selectedTargets } from "../runs/partialPlan";
import { interrupt, run, stopAfterThis } from "../runs/running";
import type { Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { activeTab } from "../session/studio";

const hasNodes = () => activeTab().selected.length > 0;
const isBusy = () =>
  Object.keys(useRuns.getState().active).length > 0 || useRuns.getState().remaining > 0;

export const runCommands: readonly Command[] = [
  {
    id: "run.run",
    title: "Run",
    group: "Run",
    keys: ["Ctrl+Enter"],
    fields: true,
    run: () => run(activeEditor()),
  },
  {
    id: "run.newSeed",
    title: "New seed and run",
    group: "Run",
    keys: ["Alt+Shift+Enter"],
    fields: true,
    enabled: () => canRoll(activeTab().workflow),
    run: () => run(activeEditor(), { newSeeds: true }),
  },
  {
    id: "run.front",
    title: "Run at the front of the queue",
    group: "Run",
    keys: ["Ctrl+Shift+Enter"],
    fields: true,
    run: () => run(activeEditor(), { front: true }),
  },
  {
    id: "run.selected",
    title: "Run only up to the selected nodes",
    group: "Run",
    keys: ["Alt+Enter"],
    fields: true,
    enabled: hasNodes,
    run: () => run(activeEditor(), { targets: selectedTargets(activeEditor()) }),
  },
  {
    id: "run.stop",
    title: "Stop now",
    group: "Run",
    keys: ["Ctrl+Alt+Enter"],
    fields: true,
    enabled: isBusy,
    run: () => interrupt(activeEditor()),
  },
  {
    id: "run.stopAfter",
    title: "Stop after the current run",
    group: "Run",
    enabled: isBusy,
    run: stopAfterThis,
  },
];
