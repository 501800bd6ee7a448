/** Commands for adding nodes and for their modes. */

import { MODE } from "../../document/graph";
import { t } from "../../words/words";
import { toggleCollapsed, toggleMode } from "../editing/arranging";
import { useRenaming } from "../editing/renaming";
import { canMask, maskNode } from "../fields/masking";
import { avoidOverlap } from "../finding/placing";
import { canvas } from "../session/canvas";
import type { Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { activeTab } from "../session/studio";
import { useView } from "../session/view";

const hasNodes = () => activeTab().selected.length > 0;

export const graphCommands: readonly Command[] = [
  {
    id: "graph.add",
    title: "Add a node",
    group: "Graph",
    keys: ["Tab", "Shift+A", "N"],
    run: openPalette,
  },
  {
    id: "graph.group",
    title: "Group the selected nodes",
    group: "Graph",
    keys: ["Ctrl+G"],
    enabled: hasNodes,
    run: async () => {
      const editor = activeEditor();
      const frame = (await import("../editing/framing")).frameSelected(editor, t("Group"));
      useRenaming.setState({ frame });
    },
  },
  {
    id: "node.bypass",
    title: "Bypass the selected nodes",
    group: "Node",
    keys: ["Ctrl+B"],
    enabled: hasNodes,
    run: () => toggleMode(activeEditor(), MODE.bypassed),
  },
  {
    id: "node.mute",
    title: "Mute the selected nodes",
    group: "Node",
    keys: ["Ctrl+M"],
    enabled: hasNodes,
    run: () => toggleMode(activeEditor(), MODE.muted),
  },
  {
    id: "node.mask",
    title: "Edit the mask of the selected image",
    group: "Node",
    enabled: () => canMask(activeEditor()),
    run: () => {
      const [key] = activeTab().selected;
      if (key !== undefined) maskNode(activeEditor(), key);
    },
  },
  {
    id: "node.collapse",
    title: "Collapse the selected nodes",
    group: "Node",
    keys: ["Alt+C"],
    enabled: hasNodes,
    run: () => toggleCollapsed(activeEditor()),
  },
];

function openPalette(): void {
  const handle = canvas();
  if (handle === null) return;
  const screen = handle.pointer();
  const at = handle.toGraph(screen);
  // When several nodes are added with the pointer in one place, each must get a different position.
  const { graph } = activeTab();
  useView.setState({ palette: { screen, at: avoidOverlap(graph, at), pulled: null } });
}
