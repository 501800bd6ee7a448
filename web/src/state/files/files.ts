/** Opening and downloading files. */

import { emptyGraph, type Point } from "../../document/graph";
import { type Json, parseJson, writeJson } from "../../document/json";
import { writeGraph } from "../../document/write";
import { t } from "../../words/words";
import { refreshJobs } from "../outcomes/jobs";
import type { Editor } from "../session/editor";
import { openTemplateAs, openWorkflow, type Place, select, tabOf } from "../session/studio";
import { notify, notifyError } from "../session/view";

export async function openDefault(): Promise<void> {
  const first = await import("../../../workflows/text_to_image.json?raw");
  const id = openTemplateAs(t("Text to image"), parseJson(first.default));
  const { nodes } = tabOf(id)?.graph ?? emptyGraph();
  const prompt = Object.values(nodes).find((each) => each.type === "CLIPTextEncode");
  if (prompt !== undefined) select({ id }, [prompt.key], []);
}

/**
 * Opens dropped or chosen files; `at` is where a picture would become a node, in the document at
 * the level that it shows now.
 */
export async function openFiles(
  place: Place,
  files: Iterable<File>,
  at: Point | null,
): Promise<void> {
  // Copied at once, as the browser clears the list of dropped files after the event.
  const all = [...files];
  const { id, level } = place;
  try {
    const { openEach } = await import("./opening");
    await openEach(all, { id, level }, at);
  } catch (error) {
    notifyError(error);
  }
}

/** Downloads the open document as a file. */
export function download(editor: Editor): void {
  const { workflow, name } = editor.tab;
  downloadText(writeJson(writeGraph(workflow), 1), `${name}.json`);
}

export function downloadText(text: string, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Opens the workflow of a job in a new tab. Returns the id of its document; null without one. */
export async function openJob(
  job: string,
  workflow: Json | null,
  name: string | null = null,
): Promise<string | null> {
  if (workflow === null) notify(t("This image was made without a saved workflow."));
  const title = name ?? t("From {{job}}", { job: job.slice(0, 8) });
  const opened = workflow === null ? null : openWorkflow(workflow, { name: title });
  await refreshJobs();
  return opened;
}
