/**
 * Translation. English sentences are the keys, so that code reads as the screen does; every other
 * language is a table beside this file. Plurals follow the platform's `Intl.PluralRules`.
 */
import { english } from "./english";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

type Values = Readonly<Record<string, string | number>>;
/**
 * Translations by English sentence; one with a count has a line for each plural, `…_one`,
 * `…_other`.
 */
type Table = Readonly<Record<string, string>>;

/** The tables, each loaded when its language is first used. English needs only its plurals. */
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
  // One pass only: inserted text is not searched for placeholders.
  return found.replace(/\{\{(\w+)\}\}/g, (hole, name: string) => String(values[name] ?? hole));
}

/** A message with the values of its placeholders, which was kept to be put into words later. */
interface FilledMessage {
  readonly key: string;
  readonly values: Values;
}

/** Translates a stored or received message, if it is one of ours. */
export function translateMessage(message: string | FilledMessage): string {
  if (typeof message === "string") return current.table[message] ?? message;
  return t(message.key, message.values);
}

/** The current language, as Intl and `<html lang>` name it. */
export function currentLanguage(): string {
  return current.language;
}

/** The first of the browser's languages that there is a table for. */
export function preferredLanguage(asked: readonly string[]): Language {
  for (const each of asked) {
    const language = each.toLowerCase().split("-")[0] ?? "";
    if (language in LANGUAGES) return language as Language;
  }
  return "en";
}

/** Changes the language; what is on the screen has to be rendered again. */
export async function setLanguage(language: Language): Promise<void> {
  const table = await TABLES[language]();
  current = { language, table, plurals: new Intl.PluralRules(language) };
  document.documentElement.lang = language;
  document.documentElement.dir = RIGHT_TO_LEFT.has(language) ? "rtl" : "ltr";
}
