/** Commands for the split view. */

import { focusOtherSide, toggleSplit, toggleSplitOfOne } from "../editing/splitView";
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
    id: "view.splitOne",
    title: "Split view: the same workflow on both sides",
    group: "View",
    run: () => toggleSplitOfOne(false),
  },
  {
    id: "view.splitForm",
    title: "Split view: the graph beside its form",
    group: "View",
    run: () => toggleSplitOfOne(true),
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
