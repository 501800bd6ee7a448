/** Commands for workflows as files: new, open, save. */

import type { Command } from "../commands";
import { download } from "../files/files";
import { reopenLast } from "../files/restore";
import { askTabName, closeDocument, moveTab, stepTab } from "../files/tabs";
import { activeTab, newTab, useStudio } from "../studio";
import { openSheet, toggleDrawer } from "../view";

export const fileCommands: readonly Command[] = [
  { id: "file.new", title: "New workflow", group: "File", keys: ["Alt+N"], run: newTab },
  {
    id: "file.open",
    title: "Open a workflow",
    group: "File",
    keys: ["Ctrl+O", "W"],
    fields: true,
    run: () => toggleDrawer("workflows"),
  },
  {
    id: "file.templates",
    title: "Start from a template",
    group: "File",
    run: () => openSheet("templates"),
  },
  {
    id: "file.missing",
    title: "Show what this workflow is missing",
    group: "File",
    run: () => openSheet("missing"),
  },
  {
    id: "file.save",
    title: "Save the workflow",
    group: "File",
    keys: ["Ctrl+S"],
    fields: true,
    run: async () => void (await (await import("../files/saving")).save()),
  },
  {
    id: "file.saveAs",
    title: "Save the workflow under another name",
    group: "File",
    keys: ["Ctrl+Shift+S"],
    fields: true,
    run: async () => void (await (await import("../files/saving")).save(true)),
  },
  {
    id: "file.download",
    title: "Download the workflow as a file",
    group: "File",
    run: download,
  },
  {
    id: "file.versions",
    title: "Earlier versions of the workflow",
    group: "File",
    run: async () => (await import("../files/saving")).showVersions(null),
  },
  {
    id: "file.rename",
    title: "Rename the workflow",
    group: "File",
    run: askTabName,
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
