/** A list of choices as rows: search results, folders, recent choices first. */

import { shownChoice } from "./kinds";

export interface ChoiceRow {
  kind: "choice";
  value: unknown;
  /** Without its folder if the row is inside a folder. */
  label: string;
  depth: number;
}

interface FolderRow {
  kind: "folder";
  path: string;
  label: string;
  depth: number;
  count: number;
  open: boolean;
}

interface HeadingRow {
  kind: "heading";
  label: string;
}

export type Row = ChoiceRow | FolderRow | HeadingRow;

interface ChoiceFilter {
  typed: string;
  recent: readonly string[];
  starred: readonly string[];
  /** The folders that are open. */
  opened: ReadonlySet<string>;
}

/** Shorter lists have no section of recent choices: they fit on the screen. */
const LONG = 12;

export function rowsOf(choices: readonly unknown[], filter: ChoiceFilter): Row[] {
  const words = filter.typed.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length > 0) return found(choices, words);
  const here = new Set(choices.map(shownChoice));
  const named = (label: string, names: readonly string[]): Row[] => {
    const alive = names.filter((each) => here.has(each));
    if (alive.length === 0) return [];
    return [
      { kind: "heading", label },
      ...alive.map((each): Row => ({ kind: "choice", value: each, label: each, depth: 0 })),
    ];
  };
  const starred = named("Starred", filter.starred);
  const recent =
    choices.length < LONG
      ? []
      : named(
          "Recently used",
          filter.recent.filter((each) => !filter.starred.includes(each)),
        );
  const all = inFolders(choices, filter.opened);
  const first = [...starred, ...recent];
  return first.length === 0 ? all : [...first, { kind: "heading", label: "All" }, ...all];
}

/** The choices that contain every word; those whose names begin with one come first. */
function found(choices: readonly unknown[], words: readonly string[]): Row[] {
  const scored = choices.flatMap((value, index) => {
    const text = shownChoice(value).toLowerCase();
    if (!words.every((word) => text.includes(word))) return [];
    const name = text.slice(text.lastIndexOf("/") + 1);
    return [{ value, index, first: words.some((word) => name.startsWith(word)) ? 0 : 1 }];
  });
  scored.sort((one, other) => one.first - other.first || one.index - other.index);
  return scored.map(({ value }) => ({
    kind: "choice",
    value,
    label: shownChoice(value),
    depth: 0,
  }));
}

interface Folder {
  folders: Map<string, Folder>;
  choices: { value: unknown; label: string }[];
  count: number;
}

const newFolder = (): Folder => ({ folders: new Map(), choices: [], count: 0 });

function inFolders(choices: readonly unknown[], opened: ReadonlySet<string>): Row[] {
  const top = newFolder();
  for (const value of choices) {
    const parts = partsOf(shownChoice(value));
    const label = parts.pop() ?? "";
    let at = top;
    at.count += 1;
    for (const part of parts) {
      const next = at.folders.get(part) ?? newFolder();
      at.folders.set(part, next);
      next.count += 1;
      at = next;
    }
    at.choices.push({ value, label });
  }
  return rowsIn(top, "", 0, opened);
}

function rowsIn(folder: Folder, above: string, depth: number, opened: ReadonlySet<string>): Row[] {
  const folders = [...folder.folders].flatMap(([label, each]): Row[] => {
    const path = `${above}${label}/`;
    const open = opened.has(path);
    const row: FolderRow = { kind: "folder", path, label, depth, count: each.count, open };
    return [row, ...(open ? rowsIn(each, path, depth + 1, opened) : [])];
  });
  const files = folder.choices.map(
    ({ value, label }): Row => ({ kind: "choice", value, label, depth }),
  );
  return [...folders, ...files];
}

/** The parts of a path; a slash with spaces around it, or at an end, makes no path. */
function partsOf(text: string): string[] {
  const isPath = /[\\/]/.test(text) && !/\s[\\/]|[\\/]\s|^[\\/]|[\\/]$/.test(text);
  return isPath ? text.split(/[\\/]/) : [text];
}

/** The folders that contain a choice, to open them for it. */
export function foldersOf(value: unknown): string[] {
  const parts = partsOf(shownChoice(value)).slice(0, -1);
  return parts.map((_, index) => `${parts.slice(0, index + 1).join("/")}/`);
}

const NEAREST = 3;

/** The choices with the names most similar to a missing one; none if none is similar. */
export function nearest(missing: string, choices: readonly unknown[]): string[] {
  const wanted = nameOf(missing);
  return choices
    .map(shownChoice)
    .map((text) => ({ text, likeness: likeness(wanted, nameOf(text)) }))
    .filter(({ likeness: how }) => how > 0.45)
    .sort((one, other) => other.likeness - one.likeness)
    .slice(0, NEAREST)
    .map(({ text }) => text);
}

function nameOf(path: string): string {
  const name = path.split(/[\\/]/).at(-1) ?? path;
  return name.replace(/\.(safetensors|sft|ckpt|pt|pth|bin|gguf)$/i, "").toLowerCase();
}

/** The share of pairs of adjacent letters that two names have in common. */
function likeness(one: string, other: string): number {
  if (one === other) return 1;
  const [first, second] = [pairsOf(one), pairsOf(other)];
  let common = 0;
  for (const [pair, count] of first) common += Math.min(count, second.get(pair) ?? 0);
  const total = Math.max(0, one.length - 1) + Math.max(0, other.length - 1);
  return total === 0 ? 0 : (2 * common) / total;
}

function pairsOf(text: string): Map<string, number> {
  const pairs = new Map<string, number>();
  for (let place = 0; place < text.length - 1; place += 1) {
    const pair = text.slice(place, place + 2);
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
  }
  return pairs;
}
