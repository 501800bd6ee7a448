/** Workflows as files: new, open, save. */

import { askName } from "../ask";
import type { Command } from "../commands";
import { download, save } from "../files";
import { newTab } from "../studio";
import { openSheet, useView } from "../view";

export const fileCommands: readonly Command[] = [
  { id: "file.new", title: "New workflow", group: "File", keys: ["Alt+N"], run: newTab },
  {
    id: "file.open",
    title: "Open a workflow",
    group: "File",
    keys: ["Ctrl+O", "W"],
    fields: true,
    run: () => useView.setState(({ workflows }) => ({ workflows: !workflows, models: false })),
  },
  {
    id: "file.templates",
    title: "Start from a template",
    group: "File",
    run: () => openSheet("templates"),
  },
  {
    id: "file.missing",
    title: "Show what this workflow misses",
    group: "File",
    run: () => openSheet("missing"),
  },
  {
    id: "file.save",
    title: "Save the workflow",
    group: "File",
    keys: ["Ctrl+S"],
    fields: true,
    run: async () => void (await save(askName)),
  },
  {
    id: "file.saveAs",
    title: "Save the workflow under another name",
    group: "File",
    keys: ["Ctrl+Shift+S"],
    fields: true,
    run: async () => void (await save(askName, true)),
  },
  {
    id: "file.download",
    title: "Download the workflow as a file",
    group: "File",
    run: download,
  },
];
