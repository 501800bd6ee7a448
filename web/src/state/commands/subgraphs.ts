/** Subgraphs: going in and out, making and undoing them. */

import type { Command } from "../commands";
import { canEnter, enter, leave } from "../levels";
import { activeTab } from "../studio";

const isInside = () => activeTab().level.length > 0;

export const subgraphCommands: readonly Command[] = [
  {
    id: "subgraph.enter",
    title: "Go into the subgraph",
    group: "Graph",
    keys: ["Enter", "Alt+ArrowDown"],
    enabled: canEnter,
    run: () => enter(activeTab().selected[0] ?? ""),
  },
  {
    id: "subgraph.leave",
    title: "Leave the subgraph",
    group: "Graph",
    keys: ["Escape", "Alt+ArrowUp"],
    enabled: isInside,
    run: leave,
  },
];
