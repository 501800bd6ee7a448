/** Commands for undo, selection, deletion, and moving nodes by keyboard. */

import { moveNodes } from "../../document/edit";
import type { Point } from "../../document/graph";
import { removeSelected } from "../editing/actions";
import { selectAll } from "../editing/arranging";
import { pinnedOf } from "../editing/boxes";
import { duplicateSelected } from "../editing/clipboard";
import { GRID } from "../nodes/shape";
import type { Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { activeTab, edit, endThread, redoEdit, select, undoEdit } from "../session/studio";

const hasNodes = () => activeTab().selected.length > 0;
const hasSelection = () => hasNodes() || activeTab().selectedLinks.length > 0;

export const editCommands: readonly Command[] = [
  {
    id: "edit.undo",
    title: "Undo",
    group: "Edit",
    keys: ["Ctrl+Z"],
    app: true,
    enabled: () => activeTab().log.done.length > 0,
    run: () => undoEdit(activeEditor()),
  },
  {
    id: "edit.redo",
    title: "Redo",
    group: "Edit",
    keys: ["Ctrl+Shift+Z", "Ctrl+Y"],
    app: true,
    enabled: () => activeTab().log.undone.length > 0,
    run: () => redoEdit(activeEditor()),
  },
  {
    id: "edit.selectAll",
    title: "Select all nodes",
    group: "Edit",
    keys: ["Ctrl+A"],
    run: () => selectAll(activeEditor()),
  },
  {
    id: "edit.selectNone",
    title: "Deselect all",
    group: "Edit",
    keys: ["Escape"],
    enabled: hasSelection,
    run: () => select(activeEditor(), []),
  },
  {
    id: "edit.duplicate",
    title: "Duplicate the selected nodes",
    group: "Edit",
    keys: ["Ctrl+D"],
    enabled: hasNodes,
    run: () => duplicateSelected(activeEditor()),
  },
  {
    id: "edit.delete",
    title: "Delete the selection",
    group: "Edit",
    keys: ["Delete", "Backspace"],
    enabled: hasSelection,
    run: () => removeSelected(activeEditor()),
  },
  {
    id: "edit.deleteAndHeal",
    title: "Delete the selected nodes and reconnect their wires",
    group: "Edit",
    keys: ["Ctrl+Delete", "Ctrl+Backspace"],
    enabled: hasNodes,
    run: () => removeSelected(activeEditor(), true),
  },
  nudge("Left", "Nudge the selected nodes left", { x: -GRID, y: 0 }),
  nudge("Right", "Nudge the selected nodes right", { x: GRID, y: 0 }),
  nudge("Up", "Nudge the selected nodes up", { x: 0, y: -GRID }),
  nudge("Down", "Nudge the selected nodes down", { x: 0, y: GRID }),
];

function nudge(arrow: string, title: string, by: Point): Command {
  return {
    id: `edit.nudge${arrow}`,
    title,
    group: "Edit",
    keys: [`Ctrl+Arrow${arrow}`],
    enabled: hasNodes,
    run: () => nudgeSelected(by),
  };
}

function nudgeSelected(by: Point): void {
  const editor = activeEditor();
  const { graph, selected } = editor.tab;
  const pinned = pinnedOf(editor, selected);
  const moved = selected.flatMap((key) => {
    const from = graph.nodes[key]?.position;
    return from === undefined || pinned.has(key)
      ? []
      : [[key, { x: from.x + by.x, y: from.y + by.y }] as const];
  });
  if (moved.length === 0) return;
  edit(editor, "Move", (draft) => moveNodes(draft, Object.fromEntries(moved)), "nudge");
  window.addEventListener("keyup", () => endThread(editor), { once: true });
}
