/**
 * Commands for the graph by keyboard: moving between nodes, editing, connecting; the regions of the
 * screen; the outline.
 */

import type { Direction } from "../../document/navigation";
import { t } from "../../words/words";
import {
  editNode,
  focusOn,
  keyboardNode,
  nodeOfField,
  walkTo,
} from "../editing/keyboardNavigation";
import { nameIn } from "../nodes/naming";
import { announce } from "../outcomes/announcements";
import { canvas } from "../session/canvas";
import type { Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { activeTab, select, useStudio } from "../session/studio";
import { toggleDrawer, useView } from "../session/view";
import { focusNextRegion } from "./regions";

const hasNode = () => keyboardNode(activeEditor()) !== null;
const isOneWire = () => activeTab().selectedLinks.length === 1;

export const leavingCommands: readonly Command[] = [
  {
    id: "node.leaveField",
    title: "Return from a field to its node",
    group: "Node",
    keys: ["Escape"],
    fields: true,
    enabled: () => nodeOfField(activeEditor()) !== null,
    run: () => focusOn(activeEditor(), nodeOfField(activeEditor()) ?? ""),
  },
];

export const accessCommands: readonly Command[] = [
  walking("right", "Go to the next node downstream"),
  walking("left", "Go to the next node upstream"),
  walking("up", "Go to the node above on the same wire"),
  walking("down", "Go to the node below on the same wire"),
  {
    id: "node.edit",
    title: "Edit the first field of the node",
    group: "Node",
    keys: ["Enter"],
    enabled: hasNode,
    run: () => editNode(activeEditor()),
  },
  {
    id: "node.connect",
    title: "Connect the node…",
    group: "Node",
    keys: ["C"],
    enabled: hasNode,
    run: () => useView.setState({ connecting: { node: keyboardNode(activeEditor()) ?? "" } }),
  },
  {
    id: "wire.next",
    title: "Select the next wire of the node",
    group: "Graph",
    keys: ["Shift+C"],
    enabled: () => wiresAt(keyboardNode(activeEditor())).length > 0,
    run: selectNextWire,
  },
  {
    id: "wire.move",
    title: "Move the end of the selected wire…",
    group: "Graph",
    enabled: isOneWire,
    run: () => {
      const [link = ""] = activeTab().selectedLinks;
      const node = activeTab().graph.links[link]?.from;
      if (node !== undefined) useView.setState({ connecting: { node, link } });
    },
  },
  {
    id: "view.nextRegion",
    title: "Go to the next part of the screen",
    group: "View",
    app: true,
    keys: ["F6"],
    fields: true,
    run: () => focusNextRegion(1),
  },
  {
    id: "view.previousRegion",
    title: "Go to the previous part of the screen",
    group: "View",
    app: true,
    keys: ["Shift+F6"],
    fields: true,
    run: () => focusNextRegion(-1),
  },
  {
    id: "view.canvas",
    title: "Go to the graph",
    group: "View",
    run: () =>
      hasNode() ? focusOn(activeEditor(), keyboardNode(activeEditor()) ?? "") : canvas()?.focus(),
  },
  {
    id: "view.outline",
    title: "Show or hide the outline",
    group: "View",
    keys: ["O"],
    run: () => toggleDrawer("outline"),
  },
];

function walking(way: Direction, title: string): Command {
  const arrow = `Arrow${way[0]?.toUpperCase()}${way.slice(1)}`;
  const enabled = () => activeTab().graph.order.length > 0;
  return {
    id: `node.${way}`,
    title,
    group: "Node",
    keys: [arrow],
    enabled,
    run: () => walkTo(activeEditor(), way),
  };
}

/** The wires into a node, then the wires out of it. */
function wiresAt(key: string | null): string[] {
  const node = activeTab().graph.nodes[key ?? ""];
  if (node === undefined) return [];
  return [
    ...node.inputs.flatMap(({ link }) => link ?? []),
    ...node.outputs.flatMap(({ links }) => links),
  ];
}

/** The focus stays on the node, but Delete and the commands for wires now act on the wire. */
function selectNextWire(): void {
  const key = keyboardNode(activeEditor());
  const { graph, selectedLinks } = activeTab();
  const all = wiresAt(key);
  const next = all[(all.indexOf(selectedLinks[0] ?? "") + 1) % all.length];
  const link = graph.links[next ?? ""];
  if (key === null || next === undefined || link === undefined) return;
  canvas()?.focusNode(key);
  select(activeEditor(), [], [next]);
  const { catalog } = useStudio.getState();
  announce(
    t("Wire of {{type}} from {{from}} to {{to}}", {
      type: link.type,
      from: nameIn(graph, catalog, link.from),
      to: nameIn(graph, catalog, link.to),
    }),
  );
}
