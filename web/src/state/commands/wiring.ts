/** Commands for wires, and for nodes with respect to their wires. */

import {
  addPoint,
  currentEnds,
  jumpAlong,
  nameWires,
  pullOutOfWires,
  removePoints,
  showWires,
  straightenWires,
} from "../editing/connecting";
import { endPull, usePulling } from "../editing/pull";
import { recreateNodes, swapInputsOf, swappableInputs } from "../editing/replacing";
import { useWiring } from "../editing/wiring";
import { canvas } from "../session/canvas";
import type { Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { changeSetting, setting } from "../session/settings";
import { activeTab } from "../session/studio";
import { useView } from "../session/view";

const hasNodes = () => activeTab().selected.length > 0;
const links = () => activeTab().selectedLinks;
const isOne = () => links().length === 1;
const chosen = () => activeTab().graph.links[links()[0] ?? ""];

/** The centre of the selected wire, in graph coordinates. */
function middle() {
  const link = chosen();
  const ends = link && currentEnds(activeEditor(), link);
  if (ends == null) return null;
  return { x: (ends.source.x + ends.target.x) / 2, y: (ends.source.y + ends.target.y) / 2 };
}

export const wiringCommands: readonly Command[] = [
  {
    id: "wire.stop",
    title: "Cancel the wire that is being dragged",
    group: "Edit",
    keys: ["Escape"],
    enabled: () => usePulling.getState().pull !== null,
    run: endPull,
  },
  {
    id: "wire.removePoints",
    title: "Remove the selected reroute points",
    group: "Edit",
    keys: ["Delete", "Backspace"],
    enabled: () => useWiring.getState().points.length > 0,
    run: () => removePoints(activeEditor(), useWiring.getState().points),
  },
  {
    id: "wire.addPoint",
    title: "Add a reroute point to the selected wire",
    group: "Graph",
    enabled: isOne,
    run: () => {
      const [at, [key]] = [middle(), links()];
      if (at !== null && key !== undefined) addPoint(activeEditor(), key, at);
    },
  },
  {
    id: "wire.straighten",
    title: "Remove all reroute points of the selected wires",
    group: "Graph",
    enabled: () => links().some((key) => activeTab().graph.links[key]?.reroute != null),
    run: () => straightenWires(activeEditor(), links()),
  },
  {
    id: "wire.portal",
    title: "Turn the selected wires into portals",
    group: "Graph",
    enabled: () => links().some((key) => activeTab().graph.links[key]?.portal === null),
    run: () => nameWires(activeEditor(), links()),
  },
  {
    id: "wire.show",
    title: "Turn the selected portals into wires",
    group: "Graph",
    enabled: () => links().some((key) => activeTab().graph.links[key]?.portal != null),
    run: () => showWires(activeEditor(), links()),
  },
  {
    id: "wire.renamePortal",
    title: "Rename the selected portal",
    group: "Graph",
    keys: ["F2"],
    enabled: () => isOne() && chosen()?.portal != null,
    run: () => useWiring.setState({ naming: links()[0] ?? null }),
  },
  {
    id: "wire.jump",
    title: "Go to the other end of the selected wire",
    group: "Graph",
    enabled: isOne,
    run: () => jumpAlong(activeEditor(), links()[0] ?? "", "source"),
  },
  {
    id: "wire.insert",
    title: "Insert a node into the selected wire",
    group: "Graph",
    enabled: isOne,
    run: () => {
      const [at, [key]] = [middle(), links()];
      const screen = canvas()?.pointer();
      if (at === null || key === undefined || screen === undefined) return;
      useView.setState({ palette: { screen, at, pulled: null, into: key } });
    },
  },
  {
    id: "node.pullOut",
    title: "Pull the selected nodes out of their wires",
    group: "Node",
    enabled: hasNodes,
    run: () => pullOutOfWires(activeEditor(), activeTab().selected),
  },
  {
    id: "node.replace",
    title: "Replace the selected nodes with…",
    group: "Node",
    keys: ["Shift+R"],
    enabled: hasNodes,
    run: () => {
      const screen = canvas()?.pointer() ?? { x: 200, y: 200 };
      const at = canvas()?.toGraph(screen) ?? screen;
      const replaces = activeTab().selected;
      useView.setState({ palette: { screen, at, pulled: null, replaces } });
    },
  },
  {
    id: "node.recreate",
    title: "Recreate the selected nodes, keeping wires and values",
    group: "Node",
    enabled: hasNodes,
    run: () => recreateNodes(activeEditor(), activeTab().selected),
  },
  {
    id: "node.swapInputs",
    title: "Swap two inputs of the selected node",
    group: "Node",
    enabled: () => {
      const node = activeTab().graph.nodes[activeTab().selected[0] ?? ""];
      return (
        activeTab().selected.length === 1 && node !== undefined && swappableInputs(node) !== null
      );
    },
    run: () => swapInputsOf(activeEditor(), activeTab().selected[0] ?? ""),
  },
  {
    id: "view.quietWires",
    title: "Show only the wires of the selection, or all",
    group: "View",
    keys: ["Alt+W"],
    run: () => changeSetting("calotype.quietWires", !setting("calotype.quietWires")),
  },
];
