/** Opening and saving: files dropped or chosen, what is embedded in them, and the server's folder. */
import type { Point } from "../../document/graph";
import { type Json, parseJson, writeJson } from "../../document/json";
import { NotAWorkflow } from "../../document/read";
import { writeGraph } from "../../document/write";
import { t } from "../../words/words";
import { addHolding } from "../editing/actions";
import { loadExtensions, useExtensions, withPluginWidgets } from "../extensions";
import { withPrimitive } from "../nodes/primitive";
import { refreshJobs } from "../runs/running";
import { client } from "../server";
import { activeTab, openWorkflow, schemaOf, select, setCatalog } from "../studio";
import { tell, tellError } from "../view";

export async function openDefault(): Promise<void> {
  const first = await import("../../../workflows/text_to_image.json?raw");
  openWorkflow(parseJson(first.default), { name: t("Text to image") });
  const { nodes } = activeTab().graph;
  const prompt = Object.values(nodes).find((each) => each.type === "CLIPTextEncode");
  if (prompt !== undefined) select([prompt.key]);
}

const BESIDE = 40;

/** Opens all that was dropped or chosen, pictures one beside the other. */
export async function openFiles(files: Iterable<File>, at: Point | null): Promise<void> {
  // Copied at once: what was dropped is taken back after the event.
  for (const [index, file] of [...files].entries()) {
    await openFile(file, at && { x: at.x + index * BESIDE, y: at.y + index * BESIDE });
  }
}

/**
 * Opens what a dropped or chosen file holds. A picture without a workflow becomes a node at its
 * place, where there is one.
 */
export async function openFile(file: File, at: Point | null): Promise<void> {
  try {
    const name = file.name.replace(/\.[^.]+$/, "");
    const { documentIn } = await import("../embedded/document");
    const found = await documentIn(file);
    if (found !== null) {
      (await import("./prompt")).openDocument(found.value, name);
      if (found.left !== null) tellMade(file.name, found.left);
      return;
    }
    if (at === null || !file.type.startsWith("image/"))
      throw new NotAWorkflow("{{name}} holds no workflow.", { name: file.name });
    await addPicture(file, at);
  } catch (error) {
    tellError(error);
  }
}

function tellMade(name: string, left: readonly string[]): void {
  tell(
    left.length === 0
      ? t("This graph was made from the text in {{name}}.", { name })
      : t("This graph was made from the text in {{name}}. Left out: {{parts}}.", {
          name,
          parts: left.join(", "),
        }),
  );
}

async function addPicture(file: File, at: Point): Promise<void> {
  const { id, level } = activeTab();
  const schema = schemaOf("LoadImage");
  const { filename, subfolder } = await client.upload(file, file.name);
  await refreshCatalog();
  if (schema === undefined) throw new Error("This server has no node that loads pictures.");
  const value = subfolder === "" ? filename : `${subfolder}/${filename}`;
  addHolding({ id, level }, schema, at, { image: value });
}

let reads = 0;

/** How often the catalog was read: lists of the server's files that are older are out of date. */
export function catalogReads(): number {
  return reads;
}

export async function refreshCatalog(): Promise<void> {
  const [listed] = await Promise.all([client.catalog(), loadExtensions()]);
  reads += 1;
  const catalog = withPrimitive(withPluginWidgets(listed, useExtensions.getState().declared));
  setCatalog(catalog);
}

/** Hands the open document out as a file. */
export function download(): void {
  const { workflow, name } = activeTab();
  const blob = new Blob([writeJson(writeGraph(workflow), 1)], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${name}.json`;
  link.click();
  URL.revokeObjectURL(link.href);
}

export async function openJob(job: string, workflow: Json | null): Promise<void> {
  if (workflow === null) tell(t("This picture was made without a saved workflow."));
  else openWorkflow(workflow, { name: t("From {{job}}", { job: job.slice(0, 8) }) });
  await refreshJobs();
}
