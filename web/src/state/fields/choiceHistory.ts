/** Recent and pinned choices of combos. Stored in this browser. */
import type { InputSchema } from "../../api/types";
import { mediaOf } from "../nodes/fileValue";

interface StoredChoices {
  recent: Record<string, string[]>;
  starred: Record<string, string[]>;
}

const KEY = "calotype.choices";
const MAX_RECENT = 6;

let kept: StoredChoices | null = null;

function storedChoices(): StoredChoices {
  if (kept !== null) return kept;
  kept = { recent: {}, starred: {} };
  try {
    const saved = JSON.parse(
      globalThis.localStorage?.getItem(KEY) ?? "{}",
    ) as Partial<StoredChoices>;
    kept = { recent: saved.recent ?? {}, starred: saved.starred ?? {} };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return kept;
}

/** Widgets of the same name share a history across nodes: `ckpt_name`, `sampler_name`. */
function listOf(input: InputSchema): string {
  const media = mediaOf(input);
  return media === null ? (input.name.split(".").at(-1) ?? input.name) : `${media} files`;
}

export function recentChoices(input: InputSchema): readonly string[] {
  return storedChoices().recent[listOf(input)] ?? [];
}

export function starredChoices(input: InputSchema): readonly string[] {
  return storedChoices().starred[listOf(input)] ?? [];
}

export function recordChoice(input: InputSchema, choice: string): void {
  const { recent } = storedChoices();
  const before = (recent[listOf(input)] ?? []).filter((each) => each !== choice);
  recent[listOf(input)] = [choice, ...before].slice(0, MAX_RECENT);
  save();
}

export function starChoice(input: InputSchema, choice: string): void {
  const { starred } = storedChoices();
  const before = starred[listOf(input)] ?? [];
  starred[listOf(input)] = before.includes(choice)
    ? before.filter((each) => each !== choice)
    : [...before, choice];
  save();
}

function save(): void {
  globalThis.localStorage?.setItem(KEY, JSON.stringify(storedChoices()));
}
