/** What a node shows after a run, sorted by how it can be shown. */
import type { ImageFile } from "../../api/jobs";
import { type Json, writeJson } from "../../document/json";
import { fileOf } from "../nodes/fileValue";
import { kindOfFile, shownKindOf } from "../nodes/mediaTypes";

/** A file that is no picture: played, or offered as a download. */
export interface ShownFile {
  file: ImageFile;
  kind: "video" | "audio" | "model" | "file";
  /** Where the camera of a model is, as its node says. */
  camera?: unknown;
}

export interface ShownOutput {
  images: readonly ImageFile[];
  /** Two pictures to be compared. */
  pair: readonly [ImageFile, ImageFile] | null;
  files: readonly ShownFile[];
  text: readonly string[];
  /** The job that made it, where that is known. */
  job?: string;
}

/** Says of a node's pictures that they move, which the browser sees itself. */
const ANIMATED = "animated";
const TEXT = "text";
/** The key under which nodes name a model that they show. */
const RESULT = "result";
/** Keys of files; anything else under them is not shown. */
const FILES: ReadonlySet<string> = new Set(
  "images a_images b_images gifs video videos audio audios latents".split(" "),
);

/**
 * Sorts a node's `ui` values: files under any key by their names, texts, and any other value as
 * JSON after its key. Null where there is nothing to show.
 */
export function readShown(output: Readonly<Record<string, unknown>>): ShownOutput | null {
  const images: ImageFile[] = [];
  const files: ShownFile[] = [];
  const text: string[] = [];
  const pair = pairIn(output);
  for (const [key, value] of Object.entries(output)) {
    if (key === ANIMATED || (pair !== null && /^[ab]_images$/.test(key))) continue;
    const model = key === RESULT ? modelIn(value) : null;
    if (model !== null) {
      if (!files.some(({ file }) => isSameFile(file, model.file))) files.push(model);
      continue;
    }
    const rest: unknown[] = [];
    for (const item of listOf(value)) {
      const file = fileIn(item);
      if (file !== null) addFile(key, file, images, files);
      else if (key === TEXT) text.push(shownText(item));
      else if (item != null && !FILES.has(key)) rest.push(item);
    }
    if (rest.length > 0) text.push(`${key}: ${rest.map(shownText).join(", ")}`);
  }
  const isEmpty = images.length + files.length + text.length === 0 && pair === null;
  return isEmpty ? null : { images, pair, files, text };
}

/** A model by its name, where its camera is, and more that is not shown. */
function modelIn(value: unknown): ShownFile | null {
  const [name, camera] = listOf(value);
  const file = modelNamed(name);
  return file === null ? null : { file, kind: "model", camera };
}

/** The file that a text such as `a.glb [temp]` names, if it is a model. */
export function modelNamed(name: unknown): ImageFile | null {
  const file = fileOf(name, "output");
  return file !== null && shownKindOf(file.filename) === "model" ? file : null;
}

function isSameFile(one: ImageFile, other: ImageFile): boolean {
  return (
    one.filename === other.filename && one.subfolder === other.subfolder && one.type === other.type
  );
}

/** With only one side there is nothing to compare. */
function pairIn(output: Readonly<Record<string, unknown>>): ShownOutput["pair"] {
  const [one, other] = [output.a_images, output.b_images].map(
    (each) =>
      listOf(each)
        .map(fileIn)
        .find((found) => found !== null) ?? null,
  );
  return one == null || other == null ? null : [one, other];
}

function addFile(key: string, file: ImageFile, images: ImageFile[], files: ShownFile[]): void {
  const kind = shownKindOf(file.filename);
  // A name without an ending that is known says nothing; its key may.
  const isPicture = key.endsWith("images") && kindOfFile(file.filename) === null;
  if (kind === "image" || isPicture) images.push(file);
  else files.push({ file, kind: kind ?? "file" });
}

/** Only what names a file: plugins add facts of their own to it. */
function fileIn(value: unknown): ImageFile | null {
  if (typeof value !== "object" || value === null) return null;
  const { filename, subfolder, type } = value as Record<string, unknown>;
  if (typeof filename !== "string" || !/^(input|output|temp)$/.test(String(type))) return null;
  return {
    filename,
    subfolder: typeof subfolder === "string" ? subfolder : "",
    type: String(type),
  };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function shownText(value: unknown): string {
  return typeof value === "string" ? value : writeJson((value ?? null) as Json);
}
