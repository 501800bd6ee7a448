/** Commands for the machine's memory and log, and for what leaves the editor as a file. */

import { writeJson } from "../../document/json";
import { writeGraph } from "../../document/write";
import { t } from "../../words/words";
import { chooseFiles } from "../files/choosing";
import { downloadText } from "../files/files";
import { useRuns } from "../outcomes/runs";
import { saveListedPicture } from "../results/pictureActions";
import { picturesOf } from "../results/stage";
import type { Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { client } from "../session/server";
import { activeTab } from "../session/studio";
import { notify, openSheet, toggleDock } from "../session/view";

const hasNodes = () => activeTab().workflow.order.length > 0;
const newestPicture = () => picturesOf(useRuns.getState().past)[0];

export const machineCommands: readonly Command[] = [
  {
    id: "file.openFile",
    title: "Open a file from this computer",
    group: "File",
    app: true,
    run: () => chooseFiles(activeEditor()),
  },
  {
    id: "file.exportApi",
    title: "Export for the API",
    group: "File",
    app: true,
    enabled: hasNodes,
    run: exportForApi,
  },
  {
    id: "result.pictureOnly",
    title: "Export the newest picture without its workflow",
    group: "File",
    app: true,
    enabled: () => newestPicture() !== undefined,
    run: async () => {
      const newest = newestPicture();
      if (newest !== undefined) await saveListedPicture(newest);
    },
  },
  {
    id: "view.logs",
    title: "Show or hide the server's log",
    group: "View",
    keys: ["Ctrl+`"],
    run: () => toggleDock("logs"),
  },
  {
    id: "machine.free",
    title: "Free memory: unload the models and forget cached results",
    group: "Run",
    app: true,
    run: async () => {
      await client.free({ unload_models: true, free_memory: true });
      notify(t("The memory is freed as soon as nothing runs."));
    },
  },
  {
    id: "machine.unload",
    title: "Unload the models from memory",
    group: "Run",
    app: true,
    run: async () => {
      await client.free({ unload_models: true });
      notify(t("The models are unloaded as soon as nothing runs."));
    },
  },
  {
    id: "help.about",
    title: "About Calotype",
    group: "Help",
    app: true,
    run: () => openSheet("about"),
  },
];

/** Downloads the prompt that Run would send: nodes by id with their class and inputs. */
async function exportForApi(): Promise<void> {
  const { workflow, name } = activeTab();
  const { prompt } = await client.check(writeGraph(workflow));
  downloadText(writeJson(prompt as Parameters<typeof writeJson>[0], 2), `${name}_api.json`);
}
