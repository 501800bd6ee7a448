/** Commands for workflows as files: new, open, save. */

import { download } from "../files/files";
import type { Command } from "../session/commandRegistry";
import { activeEditor, type Editor } from "../session/editor";
import { newTab } from "../session/studio";
import { openSheet, toggleDrawer } from "../session/view";

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
    title: "Show what this workflow needs",
    group: "File",
    run: () => openSheet("needs"),
  },
  {
    id: "file.save",
    title: "Save the workflow",
    group: "File",
    keys: ["Ctrl+S"],
    fields: true,
    run: () => save(activeEditor()),
  },
  {
    id: "file.saveAs",
    title: "Save the workflow under another name",
    group: "File",
    keys: ["Ctrl+Shift+S"],
    fields: true,
    run: () => save(activeEditor(), true),
  },
  {
    id: "file.download",
    title: "Download the workflow as a file",
    group: "File",
    run: () => download(activeEditor()),
  },
  {
    id: "file.versions",
    title: "Earlier versions of the workflow",
    group: "File",
    run: async () => (await import("../files/saving")).showVersions(null),
  },
];

async function save(editor: Editor, underAnotherName = false): Promise<void> {
  const saving = await import("../files/saving");
  await saving.save(editor, underAnotherName);
}
