/**
 * The words a user reads. English is the key, so that code reads as the screen does; every other
 * language is a table beside this file. Plurals are the platform's (`Intl.PluralRules`). Knows
 * neither the document nor the screen.
 */
import { english } from "./english";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

type Values = Readonly<Record<string, string | number>>;
/** Sentences by their English; one with a count has a line for each plural, `…_one`, `…_other`. */
type Table = Readonly<Record<string, string>>;

/** The tables, each fetched when it is first spoken. English needs only its plurals. */
const TABLES: Readonly<Record<Language, () => Promise<Table>>> = {
  en: async () => english,
  de: async () => (await import("./german")).german,
};
const RIGHT_TO_LEFT: ReadonlySet<string> = new Set(["ar", "fa", "he", "ur"]);

let current: { language: Language; table: Table; plurals: Intl.PluralRules } = {
  language: "en",
  table: english,
  plurals: new Intl.PluralRules("en"),
};

/**
 * A sentence in the user's language; `{{name}}` in it becomes `values.name`, and `count` chooses
 * the plural. Called where it is shown, never at import, since the language may change.
 */
export function t(text: string, values?: Values): string {
  const count = values?.count;
  const plural = typeof count === "number" ? `${text}_${current.plurals.select(count)}` : text;
  const found = current.table[plural] ?? current.table[text] ?? english[plural] ?? text;
  if (values === undefined) return found;
  // Once over: what is filled in is text, whatever it looks like.
  return found.replace(/\{\{(\w+)\}\}/g, (hole, name: string) => String(values[name] ?? hole));
}

/** Words that were kept or came from elsewhere: in the user's language where they are ours. */
export function translateMessage(text: string): string {
  return current.table[text] ?? text;
}

/** The language that is spoken now, as Intl and `<html lang>` call it. */
export function currentLanguage(): string {
  return current.language;
}

/** The first language of the browser that there is a table for. */
export function preferredLanguage(asked: readonly string[]): Language {
  for (const each of asked) {
    const language = each.toLowerCase().split("-")[0] ?? "";
    if (language in LANGUAGES) return language as Language;
  }
  return "en";
}

/** Speaks another language from now on; what is on the screen has to be drawn again. */
export async function setLanguage(language: Language): Promise<void> {
  const table = await TABLES[language]();
  current = { language, table, plurals: new Intl.PluralRules(language) };
  document.documentElement.lang = language;
  document.documentElement.dir = RIGHT_TO_LEFT.has(language) ? "rtl" : "ltr";
}
