/** Actions on a result: view it, use it as an input, open its workflow, download it. */

import { viewUrl } from "../../api/client";
import type { ImageFile, JobDetail } from "../../api/jobs";
import type { ListedJob } from "../../api/results";
import type { Workflow } from "../../document/graph";
import type { Json } from "../../document/json";
import { readGraph } from "../../document/read";
import { t } from "../../words/words";
import { changeValue } from "../editing/actions";
import { openJob } from "../files/files";
import { type Output, readOutputs } from "../outcomes/outputs";
import { savedIn, workflowOf } from "../runs/running";
import { canvas } from "../session/canvas";
import type { Editor } from "../session/editor";
import { client } from "../session/server";
import { layout, schemaOf } from "../session/studio";
import { notify, notifyError } from "../session/view";
import { placeAsInput } from "./asInput";
import { DRAGGED } from "./dragged";
import { type Facts, factsOf } from "./facts";
import { nameOfResult } from "./resultName";

export interface Result {
  job: string;
  files: readonly Output[];
  /** Texts that nodes showed, with the node. */
  texts: readonly { node: string; text: string }[];
  facts: Facts;
  prompt: Json;
}

export async function readResult(id: string): Promise<Result> {
  const found = await client.job(id);
  const prompt = (found.workflow?.prompt ?? {}) as Json;
  return { job: id, ...filesOf(found), facts: factsOf(prompt), prompt };
}

function filesOf({ outputs = {} }: JobDetail): Pick<Result, "files" | "texts"> {
  const made = Object.entries(outputs).map(([node, given]) => ({
    node,
    ...(readOutputs(node, given) ?? { files: [], pair: null, text: [] }),
  }));
  const files = made.flatMap(({ pair, files }) => [...(pair ?? []), ...files]);
  const texts = made.flatMap(({ node, text }) => text.map((each) => ({ node, text: each })));
  // Saved files before temporary ones.
  files.sort(
    ({ file: one }, { file: other }) => Number(one.type === "temp") - Number(other.type === "temp"),
  );
  return { files, texts };
}

/**
 * Opens the workflow that made a result in a new tab. Returns the id of its document; null where that
 * failed, or there is none.
 */
export async function openResult(id: string): Promise<string | null> {
  try {
    const { facts } = await readResult(id);
    return await openJob(id, await workflowOf(id), nameOfResult(facts));
  } catch (error) {
    notifyError(error);
    return null;
  }
}

/** The document that made a result. */
export async function graphOfResult(id: string) {
  const workflow = await workflowOf(id);
  if (workflow === null) throw new Error(t("This result was made without a saved workflow."));
  return readGraph(workflow, layout);
}

/** What a job in the queue consists of. */
export interface QueuedContents {
  /** Null where it was queued without one. */
  workflow: Workflow | null;
  seed: string | null;
  /** Why there is no workflow, as a sentence. */
  missing: string | undefined;
}

export async function readQueued(id: string): Promise<QueuedContents> {
  const job = await client.job(id);
  const { seed } = factsOf((job.workflow?.prompt ?? {}) as Json);
  const saved = savedIn(job);
  return saved === null
    ? { workflow: null, seed, missing: t("This result was made without a saved workflow.") }
    : { workflow: readGraph(saved, layout), seed, missing: undefined };
}

/** A result as the value of a node that loads files. */
export function inputName({ filename, subfolder, type }: ImageFile): string {
  const path = subfolder === "" ? filename : `${subfolder}/${filename}`;
  return type === "input" ? path : `${path} [${type}]`;
}

function pictureInput(type: string): string | null {
  const inputs = schemaOf(type)?.inputs ?? [];
  return inputs.find((each) => each.options.image_upload === true)?.name ?? null;
}

/**
 * Uses a picture as the input of a node that loads one: the given node, else the selected one, else
 * the only one; else a new node at the given place, or beside what would take its picture.
 */
export function giveAsInput(
  editor: Editor,
  file: ImageFile,
  where: { node?: string; screen?: Place } = {},
): void {
  const { graph, selected } = editor.tab;
  const loaders = graph.order.filter((key) => pictureInput(graph.nodes[key]?.type ?? "") !== null);
  const chosen =
    where.node !== undefined && loaders.includes(where.node)
      ? where.node
      : where.screen !== undefined
        ? undefined
        : (loaders.find((key) => selected.includes(key)) ??
          (loaders.length === 1 ? loaders[0] : undefined));
  const name = chosen === undefined ? null : pictureInput(graph.nodes[chosen]?.type ?? "");
  if (chosen !== undefined && name !== null) {
    changeValue(editor, chosen, name, inputName(file));
    if (where.node === undefined) canvas()?.fit([chosen]);
    return;
  }
  const handle = canvas();
  if (handle === null) return;
  placeAsInput(
    editor,
    inputName(file),
    handle.toGraph(where.screen ?? handle.pointer()),
    where.screen !== undefined,
  );
}

interface Place {
  x: number;
  y: number;
}

export function writeDragged(transfer: DataTransfer, file: ImageFile): void {
  transfer.setData(DRAGGED, JSON.stringify(file));
  transfer.setData("text/uri-list", new URL(viewUrl(file), window.location.href).href);
  transfer.effectAllowed = "copy";
}

/** Handles a result dropped on the canvas: on a node, or as a new node. */
export function takeDropped(
  editor: Editor,
  dragged: string,
  target: EventTarget,
  screen: Place,
): void {
  const file = JSON.parse(dragged) as ImageFile;
  const card = target instanceof Element ? target.closest<HTMLElement>(".react-flow__node") : null;
  const node = card?.dataset.id;
  giveAsInput(editor, file, node === undefined ? { screen } : { node, screen });
}

function downloadFiles(files: readonly ImageFile[]): void {
  for (const file of files) {
    const link = document.createElement("a");
    link.href = viewUrl(file);
    link.download = file.filename;
    link.click();
  }
}

/** Downloads all files of these jobs. */
export async function downloadJobs(ids: readonly string[]): Promise<void> {
  try {
    for (const id of ids) {
      const files = (await readResult(id)).files.map(({ file }) => file);
      const lasting = files.filter((each) => each.type !== "temp");
      downloadFiles(lasting.length > 0 ? lasting : files);
    }
  } catch (error) {
    notifyError(error);
  }
}

/** Copies a result's prompt or seed to the clipboard. */
export async function copyFact(id: string, fact: "prompt" | "seed"): Promise<void> {
  try {
    const { facts } = await readResult(id);
    const found = fact === "prompt" ? facts.positive : facts.seed;
    if (found === null) {
      notify(fact === "prompt" ? t("This result had no prompt.") : t("This result had no seed."));
      return;
    }
    await navigator.clipboard.writeText(found);
  } catch (error) {
    notifyError(error);
  }
}

/** Why a job has nothing to show, as a sentence. */
export function sentenceOf(job: ListedJob): string {
  const reason = job.execution_error?.exception_message?.trim();
  const node = job.execution_error?.node_type;
  if (job.status === "cancelled") return t("Stopped before it finished.");
  if (job.status === "failed") {
    if (reason === undefined || reason === "") return t("Failed; the server gave no reason.");
    return node ? t("{{node}} failed: {{reason}}", { node, reason }) : reason;
  }
  return t("Finished without a file to show.");
}
