/** Commands for subgraphs: entering and leaving, making and unpacking them. */

import { saveBlueprint } from "../catalog/blueprints";
import { canEnter, enter, leave } from "../editing/levels";
import {
  duplicateSeparately,
  packable,
  packSelected,
  selectedInstances,
  separateSelected,
  unpackSelected,
} from "../editing/subgraphs";
import type { Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { activeTab } from "../session/studio";
import { openSheet } from "../session/view";

const hasInstances = () => selectedInstances(activeEditor()).length > 0;
const isInside = () => activeTab().level.length > 0;

export const subgraphCommands: readonly Command[] = [
  {
    id: "subgraph.enter",
    title: "Enter the subgraph",
    group: "Graph",
    keys: ["Enter", "Alt+ArrowDown"],
    enabled: () => canEnter(activeEditor()),
    run: () => enter(activeEditor(), activeTab().selected[0] ?? ""),
  },
  {
    id: "subgraph.leave",
    title: "Leave the subgraph",
    group: "Graph",
    keys: ["Escape", "Alt+ArrowUp"],
    enabled: isInside,
    run: () => leave(activeEditor()),
  },
  {
    id: "subgraph.make",
    title: "Make a subgraph of the selected nodes",
    group: "Graph",
    keys: ["Ctrl+Shift+E"],
    enabled: () => packable(activeEditor()).length > 0,
    run: () => packSelected(activeEditor()),
  },
  {
    id: "subgraph.unpack",
    title: "Unpack the selected subgraphs",
    group: "Graph",
    keys: ["Ctrl+Shift+U"],
    enabled: hasInstances,
    run: () => unpackSelected(activeEditor()),
  },
  {
    id: "subgraph.separate",
    title: "Give the selected instances a subgraph of their own",
    group: "Graph",
    enabled: hasInstances,
    run: () => separateSelected(activeEditor()),
  },
  {
    id: "subgraph.duplicate",
    title: "Duplicate as a subgraph of its own",
    group: "Graph",
    keys: ["Ctrl+Shift+D"],
    enabled: hasInstances,
    run: () => duplicateSeparately(activeEditor()),
  },
  {
    id: "subgraph.save",
    title: "Save the selected subgraph as a blueprint",
    group: "Graph",
    enabled: () => canEnter(activeEditor()),
    run: () => saveBlueprint(activeEditor(), activeTab().selected[0] ?? ""),
  },
  {
    id: "subgraph.blueprints",
    title: "Show the blueprints",
    group: "Graph",
    run: () => openSheet("blueprints"),
  },
];
