/** Commands for the clipboard, for menus: the keys are those of the browser's own events. */

import { paste, selectionAsText } from "../editing/clipboard";
import { useRenaming } from "../editing/renaming";
import { canvas } from "../session/canvas";
import type { Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { activeTab } from "../session/studio";

export const clipboardCommands: readonly Command[] = [
  {
    id: "edit.copy",
    title: "Copy the selected nodes",
    group: "Edit",
    enabled: () => activeTab().selected.length > 0,
    run: async () => {
      const text = selectionAsText(activeEditor());
      if (text !== null) await navigator.clipboard.writeText(text);
    },
  },
  {
    id: "edit.paste",
    title: "Paste nodes",
    group: "Edit",
    run: async () => {
      const handle = canvas();
      if (handle === null) return;
      const at = handle.toGraph(handle.pointer());
      paste(activeEditor(), { text: await navigator.clipboard.readText(), html: "" }, at, false);
    },
  },
  {
    id: "node.rename",
    title: "Rename the node",
    group: "Node",
    keys: ["F2"],
    enabled: () => activeTab().selected.length === 1,
    run: () => useRenaming.setState({ node: activeTab().selected[0] ?? null }),
  },
];
