/**
 * What runs made: each file with its node and its medium. Only this module decides what a result is,
 * by the name of its file, and by the key under which its node gave it where the name says nothing.
 */
import type { ImageFile } from "../../api/jobs";
import type { ListedJob } from "../../api/results";
import { type Json, writeJson } from "../../document/json";
import { fileOf } from "../nodes/fileValue";
import { kindOfFile, type MediaKind, shownKindOf } from "../nodes/mediaTypes";

/** How a result is shown; a `file` is only offered as a download. */
export type Medium = MediaKind;

/** A file that a node made. */
export interface Output {
  node: string;
  medium: Medium;
  file: ImageFile;
  /** Whether it is a picture that may move, of which a thumbnail is only the first frame. */
  moves?: true;
  /** Where the camera of a model is, as its node says. */
  camera?: unknown;
  /** The picture behind a model. */
  behind?: ImageFile;
}

/** What a node made in its last run. */
export interface NodeOutputs {
  files: readonly Output[];
  /** Two pictures to be compared. */
  pair: readonly [Output, Output] | null;
  text: readonly string[];
  /** The job that made it, where that is known. */
  job?: string;
}

/** Says of a node's pictures that they move. */
const ANIMATED = "animated";
const TEXT = "text";
/** The key under which nodes name a model that they show. */
const RESULT = "result";
/** Keys of files; anything else under them is not shown. */
const FILES: ReadonlySet<string> = new Set(
  "images a_images b_images gifs video videos audio audios latents".split(" "),
);
/** Endings of pictures that may have more than one frame. */
const MOVING = /\.(gif|webp|avif)$/i;

/** What a file is, by its name; a name without a known ending says nothing, but its key may. */
export function mediumOf({ filename }: Pick<ImageFile, "filename">, key = ""): Medium {
  const isPicture = key.endsWith("images") && kindOfFile(filename) === null;
  return shownKindOf(filename) ?? (isPicture ? "image" : "file");
}

/** The file that represents a job in lists; null where it made none. */
export function outputOf({ preview_output: found }: ListedJob): Output | null {
  if (found === undefined) return null;
  const { filename, subfolder = "", type = "output", nodeId = "", mediaType } = found;
  return outputAt(nodeId, { filename, subfolder, type }, mediaType);
}

/** The pictures among a node's files. */
export function picturesIn(made: Pick<NodeOutputs, "files"> | undefined): readonly Output[] {
  return made?.files.filter(({ medium }) => medium === "image") ?? [];
}

/**
 * Sorts a node's `ui` values: files under any key, texts, and any other value as JSON after its key.
 * Null where there is nothing to show.
 */
export function readOutputs(
  node: string,
  given: Readonly<Record<string, unknown>>,
): NodeOutputs | null {
  const files: Output[] = [];
  const text: string[] = [];
  const pair = pairIn(node, given);
  const isAnimated = listOf(given[ANIMATED]).includes(true);
  for (const [key, value] of Object.entries(given)) {
    if (key === ANIMATED || (pair !== null && /^[ab]_images$/.test(key))) continue;
    const model = key === RESULT ? modelIn(node, value) : null;
    if (model !== null) {
      if (!files.some(({ file }) => isSameFile(file, model.file))) files.push(model);
      continue;
    }
    const rest: unknown[] = [];
    for (const item of listOf(value)) {
      const file = fileIn(item);
      if (file !== null) files.push(outputAt(node, file, key, isAnimated));
      else if (key === TEXT) text.push(shownText(item));
      else if (item != null && !FILES.has(key)) rest.push(item);
    }
    if (rest.length > 0) text.push(`${key}: ${rest.map(shownText).join(", ")}`);
  }
  return files.length + text.length === 0 && pair === null ? null : { files, pair, text };
}

function outputAt(node: string, file: ImageFile, key = "", isAnimated = false): Output {
  const medium = mediumOf(file, key);
  const moves = medium === "image" && (isAnimated || MOVING.test(file.filename));
  return { node, medium, file, ...(moves ? { moves } : {}) };
}

/** A model by its name, where its camera is, and the picture behind it, such as `temp/a.png`. */
function modelIn(node: string, value: unknown): Output | null {
  const [name, camera, picture] = listOf(value);
  const file = modelNamed(name);
  if (file === null) return null;
  const [, type, filename] = /^(input|output|temp)\/([^/]+)$/.exec(String(picture)) ?? [];
  const made: Output = { node, medium: "model", file, camera };
  if (type !== undefined && filename !== undefined) made.behind = { filename, subfolder: "", type };
  return made;
}

/** The file that a text such as `a.glb [temp]` names, if it is a model. */
function modelNamed(name: unknown): ImageFile | null {
  const file = fileOf(name, "output");
  return file !== null && mediumOf(file) === "model" ? file : null;
}

export function isSameFile(one: ImageFile, other: ImageFile): boolean {
  return (
    one.filename === other.filename && one.subfolder === other.subfolder && one.type === other.type
  );
}

/** With only one side there is nothing to compare. */
function pairIn(node: string, given: Readonly<Record<string, unknown>>): NodeOutputs["pair"] {
  const [one, other] = ["a_images", "b_images"].map((key) =>
    listOf(given[key])
      .flatMap((each) => fileIn(each) ?? [])
      .map((file) => outputAt(node, file, key))
      .find(({ medium }) => medium === "image"),
  );
  return one === undefined || other === undefined ? null : [one, other];
}

/** Only what names a file: plugins add facts of their own to it. */
function fileIn(value: unknown): ImageFile | null {
  if (typeof value !== "object" || value === null) return null;
  const { filename, subfolder, type = "output" } = value as Record<string, unknown>;
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
