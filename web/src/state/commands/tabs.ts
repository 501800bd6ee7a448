/** Commands for the tabs of the open workflows. */

import { reopenLast } from "../files/restore";
import { askTabName, closeDocument, moveTab, stepTab } from "../files/tabs";
import type { Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { activeTab, useStudio } from "../session/studio";

export const tabCommands: readonly Command[] = [
  {
    id: "file.rename",
    title: "Rename the workflow",
    group: "File",
    run: () => askTabName(activeEditor()),
  },
  {
    id: "file.close",
    title: "Close the workflow",
    group: "File",
    keys: ["Ctrl+Alt+W"],
    run: () => closeDocument(activeTab().id),
  },
  {
    id: "file.reopen",
    title: "Reopen the last closed workflow",
    group: "File",
    // Browsers use Ctrl+Shift+T for their own tabs.
    keys: ["Alt+Shift+W"],
    fields: true,
    run: reopenLast,
  },
  {
    id: "file.next",
    title: "Show the next workflow",
    group: "File",
    keys: ["Alt+PageDown"],
    fields: true,
    run: () => stepTab(1),
  },
  {
    id: "file.previous",
    title: "Show the previous workflow",
    group: "File",
    keys: ["Alt+PageUp"],
    fields: true,
    run: () => stepTab(-1),
  },
  {
    id: "file.moveLeft",
    title: "Move the tab to the left",
    group: "File",
    keys: ["Alt+Shift+PageUp"],
    run: () => moveActive(-1),
  },
  {
    id: "file.moveRight",
    title: "Move the tab to the right",
    group: "File",
    keys: ["Alt+Shift+PageDown"],
    run: () => moveActive(1),
  },
];

function moveActive(by: number): void {
  const { tabs, active } = useStudio.getState();
  moveTab(active, tabs.findIndex((each) => each.id === active) + by);
}
