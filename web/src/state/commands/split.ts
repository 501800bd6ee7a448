/** Commands for the split view. */

import { focusOtherSide, toggleSplit } from "../editing/splitView";
import type { Command } from "../session/commandRegistry";
import { useView } from "../session/view";

export const splitCommands: readonly Command[] = [
  {
    id: "view.split",
    title: "Split view: two workflows, or one",
    group: "View",
    keys: ["Alt+B"],
    run: toggleSplit,
  },
  {
    id: "view.otherSide",
    title: "Go to the other side of the split view",
    group: "View",
    keys: ["Alt+Shift+B"],
    enabled: () => useView.getState().split !== null,
    run: focusOtherSide,
  },
];
