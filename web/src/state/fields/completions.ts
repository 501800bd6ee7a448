/**
 * Completions of a word in a prompt: the server's embeddings and LoRAs, tags of the user's own
 * lists (`tags/*.csv` among the user's files: name, kind, count, other names), and phrases in the
 * open documents. Lists are read when a prompt first needs them; those of the server's files again
 * after the catalog was reloaded.
 */

import { roughly } from "../../words/format";
import { t } from "../../words/words";
import { catalogReads } from "../catalog/catalog";
import type { Editor } from "../session/editor";
import { client } from "../session/server";
import { useStudio } from "../session/studio";
import { type LoraField, loaderPosition, loadLora, nameOfLora } from "./loras";

interface Completion {
  text: string;
  insert?: string;
  detail: string;
  choose?: () => ReturnType<typeof loadLora>;
}

interface Tag {
  name: string;
  detail: string;
  count: number;
  /** The name and its aliases, in lower case with underscores. */
  names: readonly string[];
}

const MAX_COMPLETIONS = 8;
/** The number of LoRAs offered after their prefix `<lora:`. */
const MAX_LORAS = 48;
const EMBEDDING = "embedding:";
const LORA = "<lora:";
const FOLDER = "tags";
const MAX_TAGS = 400_000;

let embeddings: Promise<readonly string[]> | null = null;
let loras: Promise<readonly string[]> | null = null;
let read = 0;
let tags: Promise<readonly Tag[]> | null = null;

/** Drops the lists of the server's files, so that they are read again when next needed. */
function forgetFiles(): void {
  embeddings = null;
  loras = null;
}

/** `place` is the field being typed into, where it belongs to a node. */
export async function completionsFor(
  editor: Editor,
  word: string,
  place: LoraField | null = null,
): Promise<readonly Completion[]> {
  if (read !== catalogReads()) forgetFiles();
  read = catalogReads();
  loras ??= readLoras().catch(failed);
  if (word.startsWith("<")) return lorasFor(editor, word, await loras, place).slice(0, MAX_LORAS);
  embeddings ??= client.embeddings().catch(failed);
  tags ??= readTags().catch(failed);
  const [names, files, known] = await Promise.all([embeddings, loras, tags]);
  const inEmbeddings = embeddingsFor(word, names);
  if (word.startsWith(EMBEDDING)) return inEmbeddings.slice(0, MAX_COMPLETIONS);
  const found = [...tagsFor(word, known), ...wordsFor(word), ...inEmbeddings];
  const seen = new Set<string>();
  const once = found.filter(
    ({ text }) => !seen.has(text.toLowerCase()) && seen.add(text.toLowerCase()),
  );
  return [...once, ...lorasFor(editor, word, files, place)].slice(0, MAX_COMPLETIONS);
}

/** A list that cannot be read is left out without failing the others; it is read again later. */
function failed(error: unknown): never {
  forgetFiles();
  tags = null;
  throw error;
}

async function readLoras(): Promise<readonly string[]> {
  return (await client.models("loras")).map((each) => each.name);
}

/**
 * Matches names without extension, and folders; those whose own name begins with the word come
 * first.
 */
function lorasFor(
  editor: Editor,
  word: string,
  files: readonly string[],
  place: LoraField | null,
): Completion[] {
  const isTag = word.startsWith("<");
  const key = keyOf(isTag ? word.slice(LORA.length) : word);
  const named = new Map(files.toReversed().map((file) => [nameOfLora(file), file]));
  const found = [...named].reverse().filter(([name]) => keyOf(name).includes(key));
  if (found.length === 0) return [];
  const begins = (name: string) => Number(keyOf(name).split(/[\\/]/).at(-1)?.startsWith(key));
  found.sort(([one], [other]) => begins(other) - begins(one));
  const position = loaderPosition(editor, place);
  return found.map(([name, file]): Completion => {
    if (position === null || place === null) {
      return { text: name, insert: `${LORA}${name}:1>`, detail: t("LoRA tag") };
    }
    const detail = position.loaded.has(file) ? t("LoRA, loaded already") : t("LoRA, adds a loader");
    return { text: name, insert: "", detail, choose: () => loadLora(editor, place, file) };
  });
}

function embeddingsFor(word: string, names: readonly string[]): Completion[] {
  const key = word.replace(EMBEDDING, "").toLowerCase();
  return names
    .filter((each) => each.toLowerCase().includes(key))
    .map((each) => ({ text: `${EMBEDDING}${each}`, detail: t("embedding") }));
}

async function readTags(): Promise<Tag[]> {
  const files = (await client.files(FOLDER)).filter((each) => each.toLowerCase().endsWith(".csv"));
  const texts = await Promise.all(files.map((each) => client.load(`${FOLDER}/${each}`)));
  return texts.flatMap((text) => tagsOf(text ?? "")).slice(0, MAX_TAGS);
}

/** Parses lines of `name,kind,count,"other,names"`; all but the name may be omitted. */
export function tagsOf(text: string): Tag[] {
  return text.split(/\r?\n/).flatMap((line): Tag[] => {
    const [name = "", , count = "", others = ""] = cellsOf(line);
    if (name === "" || name === "name" || name === "tag") return [];
    const number = Number(count) || 0;
    const names = [name, ...others.split(",")].map((each) => keyOf(each.trim())).filter(Boolean);
    return [{ name, names, count: number, detail: number > 0 ? shortCount(number) : "" }];
  });
}

function cellsOf(line: string): string[] {
  const cells = line.match(/"(?:[^"]|"")*"|[^,]+|(?<=,)(?=,)/g) ?? [];
  return cells.map((each) =>
    each.startsWith('"') ? each.slice(1, -1).replace(/""/g, '"') : each.trim(),
  );
}

function shortCount(count: number): string {
  return roughly(count);
}

function keyOf(text: string): string {
  return text.toLowerCase().replace(/ /g, "_");
}

/** Tags that begin with the word, the most used first, then those that contain it. */
export function tagsFor(word: string, tags: readonly Tag[]): Completion[] {
  const key = keyOf(word);
  const scored = tags.flatMap((tag) => {
    const best = Math.max(
      ...tag.names.map((each) => (each.startsWith(key) ? 2 : each.includes(key) ? 1 : 0)),
    );
    return best === 0 ? [] : [{ tag, best }];
  });
  scored.sort((one, other) => other.best - one.best || other.tag.count - one.tag.count);
  return scored.slice(0, MAX_COMPLETIONS).map(({ tag }) => ({
    text: tag.name.replace(/_/g, " "),
    insert: asPromptText(tag.name),
    detail: tag.detail,
  }));
}

/** The phrases between commas in the texts of the open documents. */
function wordsFor(word: string): Completion[] {
  const key = word.toLowerCase();
  const found = new Map<string, number>();
  for (const { graph } of useStudio.getState().tabs) {
    for (const node of Object.values(graph.nodes)) {
      for (const value of Object.values(node.values)) {
        if (typeof value === "string" && value.includes(",")) countParts(value, key, found);
      }
    }
  }
  return [...found]
    .sort((one, other) => other[1] - one[1])
    .slice(0, MAX_COMPLETIONS)
    .map(([text]) => ({ text, detail: "" }));
}

const MAX_PART_LENGTH = 48;

function countParts(text: string, key: string, found: Map<string, number>): void {
  for (const each of text.split(/[,\n]/)) {
    const part = each.trim();
    const lower = part.toLowerCase();
    // Not the word itself that is being typed.
    if (lower === key || !lower.startsWith(key) || part.length > MAX_PART_LENGTH) continue;
    if (/[():{}|]/.test(part)) continue;
    found.set(part, (found.get(part) ?? 0) + 1);
  }
}

/**
 * A tag in prompt syntax: spaces for underscores, and escaped brackets, which would mean weights.
 */
function asPromptText(tag: string): string {
  return tag.replace(/_/g, " ").replace(/[()]/g, "\\$&");
}
