/** Finds commands by their names, by other words for them, and by a few of their letters. */
import UFuzzy from "@leeoniya/ufuzzy";
import { currentLanguage, t } from "../../words/words";
import { type Command, isEnabled } from "../session/commandRegistry";
import { ENGLISH } from "./commandWords";
import { GERMAN } from "./commandWordsGerman";

const fuzzy = new UFuzzy({ intraMode: 1 });
const WORDS: Readonly<Record<string, Readonly<Record<string, string>>>> = { de: GERMAN };

/** How well a text matches, best first: what is equal, begins so, has the words, has the letters. */
const EQUAL = 0;
const BEGINS = 2;
const HAS_WORDS = 4;
const HAS_LETTERS = 6;
/** A name counts more than another word for it. */
const OTHER_WORD = 1;

/**
 * The commands for the typed text, best first; all where nothing is typed. Of equally good ones,
 * those that can act now come first, then those in the given order.
 */
export function commandsFor(all: readonly Command[], typed: string): readonly Command[] {
  const wanted = plain(typed);
  if (wanted === "") return enabledFirst(all);
  const byLetters = new Map(lettersIn(all, typed).map((command, rank) => [command, rank]));
  const ranked = all.flatMap((command) => {
    const quality = qualityOf(command, wanted, byLetters.has(command));
    return quality === null ? [] : [{ command, quality }];
  });
  ranked.sort(
    (one, other) =>
      one.quality - other.quality ||
      Number(!isEnabled(one.command)) - Number(!isEnabled(other.command)) ||
      (byLetters.get(one.command) ?? all.length) - (byLetters.get(other.command) ?? all.length),
  );
  return ranked.map(({ command }) => command);
}

function enabledFirst(all: readonly Command[]): readonly Command[] {
  return [...all.filter(isEnabled), ...all.filter((each) => !isEnabled(each))];
}

function plain(text: string): string {
  return text
    .toLowerCase()
    .replace(/[.,:;…'"()/-]+/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}

function qualityOf({ id, title }: Command, wanted: string, hasLetters: boolean): number | null {
  const others = [ENGLISH[id], WORDS[currentLanguage()]?.[id]]
    .flatMap((each) => each?.split(",") ?? [])
    .map(plain);
  const qualities = [
    matchOf(plain(t(title)), wanted),
    ...others.map((each) => plus(matchOf(each, wanted))),
    plus(wordsOf([t(title), ...others].map(plain).join(" "), wanted)),
  ].filter((each) => each !== null);
  if (qualities.length > 0) return Math.min(...qualities);
  return hasLetters ? HAS_LETTERS : null;
}

function plus(quality: number | null): number | null {
  return quality === null ? null : quality + OTHER_WORD;
}

function matchOf(text: string, wanted: string): number | null {
  if (text === wanted) return EQUAL;
  if (text.startsWith(wanted)) return BEGINS;
  return wordsOf(text, wanted);
}

/** Whether each typed word begins a word of the text. */
function wordsOf(text: string, wanted: string): number | null {
  const words = text.split(" ");
  const isFound = wanted.split(" ").every((typed) => words.some((each) => each.startsWith(typed)));
  return isFound ? HAS_WORDS : null;
}

/** By the letters of the name and group, as far apart as they may be. */
function lettersIn(all: readonly Command[], typed: string): readonly Command[] {
  const named = all.map((each) => `${t(each.title)} ${t(each.group)}`);
  const [matched, info, order] = fuzzy.search(named, typed);
  if (matched === null) return [];
  const found = order === null ? matched : order.flatMap((place) => info.idx[place] ?? []);
  return found.flatMap((index) => all[index] ?? []);
}
