/**
 * Opens a result so that it can be made again: values and seeds pinned to those of its run, and a
 * notice of what differs here from then.
 */
import { viewUrl } from "../../api/client";
import { setValue } from "../../document/edit";
import { isObject, type Json } from "../../document/json";
import { graphsOf } from "../../document/levels";
import { t } from "../../words/words";
import { parsedJson, textsIn } from "../embedded/texts";
import { openJob } from "../files/files";
import { openDocument } from "../files/prompt";
import { inputsOf } from "../nodes/inputs";
import { catalogWith } from "../nodes/subgraphSchema";
import { controlOf, layoutOf } from "../nodes/widgets";
import { workflowOf } from "../runs/running";
import { client } from "../server";
import { activeTab, editAt, promptIdOf, useStudio } from "../studio";
import { notify, notifyError } from "../view";
import { nameOfResult } from "./resultName";
import { type Result, readResult } from "./results";

/** Opens the workflow of a result in a new tab, pinned, and says what differs now. */
export async function reproduceResult(id: string): Promise<void> {
  try {
    const result = await readResult(id);
    const record = await recordIn(result);
    const workflow = await workflowOf(id);
    if (workflow !== null) await openJob(id, workflow, nameOfResult(result.facts));
    else openDocument(result.prompt, t("From {{job}}", { job: id.slice(0, 8) }));
    pin(result.prompt);
    if (record === null) {
      notify(t("This result has no record of versions and files, so nothing can be compared."));
      return;
    }
    const found = await client.compareRecord(record);
    const differences = found.map(({ text }) => text).join("\n");
    notify(
      differences === ""
        ? t("Values and seeds are those of the result, and nothing differs here from then.")
        : t("Values and seeds are those of the result. What differs now:\n{{differences}}", {
            differences,
          }),
    );
  } catch (error) {
    notifyError(error);
  }
}

/** The record in the first file of a result that has one. */
async function recordIn(result: Result): Promise<Json> {
  for (const { filename, subfolder, type } of result.files) {
    const response = await fetch(viewUrl({ filename, subfolder, type }));
    if (!response.ok) continue;
    const record = parsedJson((await textsIn(await response.blob())).calotype);
    if (record !== null) return record;
  }
  return null;
}

/** Gives all nodes of the active document the values that were run, and fixes their seeds. */
function pin(prompt: Json): void {
  const tab = activeTab();
  const catalog = catalogWith(tab.workflow, useStudio.getState().catalog);
  const run = isObject(prompt) ? prompt : {};
  editAt(tab, t("Reproduce"), (draft, workflow) => {
    for (const graph of graphsOf(workflow)) {
      for (const [key, node] of Object.entries(graph.nodes)) {
        const schema = catalog[node.type];
        if (schema === undefined) continue;
        const layout = layoutOf(schema);
        const entry = graph === draft ? run[promptIdOf(tab, key)] : undefined;
        const values = isObject(entry) && isObject(entry.inputs) ? entry.inputs : {};
        for (const input of inputsOf(schema, node)) {
          const value = values[input.name];
          const isPlain = value !== undefined && !Array.isArray(value);
          if (isPlain && input.name in node.values && node.values[input.name] !== value) {
            setValue(graph, key, input.name, value, layout);
          }
          const control = controlOf(schema, input);
          if (control !== null && node.values[control] !== "fixed") {
            setValue(graph, key, control, "fixed", layout);
          }
        }
      }
    }
  });
}
