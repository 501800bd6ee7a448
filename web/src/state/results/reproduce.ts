/**
 * Opens a result so that it can be made again: values and seeds pinned to those of its run, and a
 * notice of what differs here from then.
 */

import { viewUrl } from "../../api/client";
import type { Json } from "../../document/json";
import { t } from "../../words/words";
import { openDocument } from "../embedded/prompt";
import { parsedJson, textsIn } from "../embedded/texts";
import { openJob } from "../files/files";
import { catalogWith } from "../nodes/subgraphSchema";
import { workflowOf } from "../runs/running";
import type { Editor } from "../session/editor";
import { client } from "../session/server";
import { edit, useStudio } from "../session/studio";
import { notify, notifyError } from "../session/view";
import { pinValues } from "./pinning";
import { nameOfResult } from "./resultName";
import { type Result, readResult } from "./results";

/** Opens the workflow of a result in a new tab, pinned, and says what differs now. */
export async function reproduceResult(editor: Editor, id: string): Promise<void> {
  try {
    const result = await readResult(id);
    const record = await recordIn(result);
    const workflow = await workflowOf(id);
    if (workflow !== null) await openJob(id, workflow, nameOfResult(result.facts));
    else openDocument(result.prompt, t("From {{job}}", { job: id.slice(0, 8) }));
    const left = pin(editor, result.prompt);
    const leftOut =
      left === 0
        ? ""
        : `${t("{{count}} values inside subgraphs ran differently in their instances and were left.", { count: left })}\n`;
    if (record === null) {
      const nothing = t(
        "This result has no record of versions and files, so nothing can be compared.",
      );
      notify(`${leftOut}${nothing}`);
      return;
    }
    const found = await client.compareRecord(record);
    const differences = found.map(({ text }) => text).join("\n");
    const compared =
      differences === ""
        ? t("Values and seeds are those of the result, and nothing differs here from then.")
        : t("Values and seeds are those of the result. What differs now:\n{{differences}}", {
            differences,
          });
    notify(`${leftOut}${compared}`);
  } catch (error) {
    notifyError(error);
  }
}

/** The record in the first file of a result that has one. */
async function recordIn(result: Result): Promise<Json> {
  for (const { file } of result.files) {
    const response = await fetch(viewUrl(file));
    if (!response.ok) continue;
    const record = parsedJson((await textsIn(await response.blob())).calotype);
    if (record !== null) return record;
  }
  return null;
}

/** Gives all nodes of the active document the values that were run, and fixes their seeds. */
function pin(editor: Editor, prompt: Json): number {
  const tab = editor.tab;
  const catalog = catalogWith(tab.workflow, useStudio.getState().catalog);
  let left = 0;
  edit(tab, "Reproduce", (_, workflow) => {
    left = pinValues(workflow, prompt, catalog);
  });
  return left;
}
