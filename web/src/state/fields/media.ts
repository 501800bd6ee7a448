/** Uploads of files for a widget, by button, drop or paste: their progress and errors. */

import { create } from "zustand";
import { HttpError } from "../../api/transport";
import type { InputSchema } from "../../api/types";
import { uploadFile } from "../../api/upload";
import { promptId } from "../../document/levels";
import { bytesOf } from "../../words/format";
import { t } from "../../words/words";
import { addFileToLists } from "../catalog/lists";
import { changeValueAt } from "../editing/actions";
import { mediaOf, namedValue, placeOfValues } from "../nodes/fileValue";
import { inputsOf } from "../nodes/inputs";
import { kindOfFile, type MediaKind, mediaTypeOf } from "../nodes/mediaTypes";
import type { Editor } from "../session/editor";
import { schemaOf } from "../session/studio";
import { errorText } from "../session/view";

interface Upload {
  progress: number | null;
  error: string | null;
  stop: () => void;
}

/** By `tab/node/input`. */
export const useUploads = create<Readonly<Record<string, Upload>>>(() => ({}));

const IDLE: Upload = { progress: null, error: null, stop: () => undefined };

/** `node` is the node's id in prompts, as nodes of different levels may have the same key. */
export function uploadPlace(tab: string, node: string, input: string): string {
  return `${tab}/${node}/${input}`;
}

export async function uploadFieldFile(
  editor: Editor,
  node: string,
  input: InputSchema,
  file: File,
): Promise<void> {
  const { id, level } = editor.tab;
  const place = uploadPlace(id, promptId(level, node), input.name);
  const update = (changes: Partial<Upload>) =>
    useUploads.setState((all) => ({ [place]: { ...(all[place] ?? IDLE), ...changes } }));
  // A second file for the same field replaces the first.
  useUploads.getState()[place]?.stop();
  const controller = new AbortController();
  const stop = () => controller.abort();
  update({ progress: 0, error: null, stop });
  try {
    const uploaded = await uploadFile(file, {
      signal: controller.signal,
      onProgress: (progress) => update({ progress }),
      ...(isModelOf(input, file) ? { subfolder: MODELS } : {}),
    });
    addFileToLists(uploaded, mediaOf(input) ?? "image");
    update({ progress: null });
    // By the time a large file is uploaded, another document may be shown, or the node be deleted.
    changeValueAt({ id, level }, node, input.name, namedValue(uploaded, placeOfValues(input)));
  } catch (error) {
    const isAborted = error instanceof DOMException && error.name === "AbortError";
    if (controller.signal.aborted && useUploads.getState()[place]?.stop !== stop) return;
    update({ progress: null, error: isAborted ? null : errorSentence(error, file) });
  }
}

/** Ends the uploads for a document that was closed, and removes what is stored of them. */
export function forgetUploads(tab: string): void {
  const all = Object.entries(useUploads.getState());
  const [closed, others] = [true, false].map((isClosed) =>
    all.filter(([place]) => place.startsWith(`${tab}/`) === isClosed),
  );
  useUploads.setState(Object.fromEntries(others ?? []), true);
  for (const [, { stop }] of closed ?? []) stop();
}

/** Models belong into a folder of their own, as in the incumbent. */
const MODELS = "3d";

function isModelOf(input: InputSchema, file: File): boolean {
  return mediaOf(input) === "file" && kindOfFile(file.name) === "model";
}

function errorSentence(error: unknown, file: File): string {
  if (error instanceof HttpError && error.status === 413) {
    return t("{{name}} is larger than this server takes ({{size}}).", {
      name: file.name,
      size: bytesOf(file.size),
    });
  }
  return t("{{name}} could not be uploaded: {{reason}}", {
    name: file.name,
    reason: errorText(error),
  });
}

/** The first input of a node that takes a file like this one. */
export function inputFor(
  editor: Editor,
  node: string,
  file: { name: string; type: string },
): InputSchema | null {
  const found = editor.tab.graph.nodes[node];
  const schema = schemaOf(found?.type ?? "");
  if (found === undefined || schema === undefined) return null;
  return inputsOf(schema, found).find((each) => acceptsFile(mediaOf(each), file)) ?? null;
}

/** By the browser's type for the file, or by its name where the browser has none. */
function acceptsFile(kind: MediaKind | null, file: { name: string; type: string }): boolean {
  // Any file would do, so one that is dropped elsewhere is not meant for it.
  if (kind === null || kind === "file") return false;
  const type = file.type === "" ? mediaTypeOf(file.name) : file.type;
  if (kind === "audio") return /^(audio|video)\//.test(type);
  return type.startsWith(`${kind}/`);
}

/** Uploads a file for the single selected node; false where it takes no such file. */
export function uploadToSelected(editor: Editor, file: File): boolean {
  const { selected } = editor.tab;
  const [node] = selected;
  if (selected.length !== 1 || node === undefined) return false;
  const input = inputFor(editor, node, file);
  if (input === null) return false;
  void uploadFieldFile(editor, node, input, file);
  return true;
}
