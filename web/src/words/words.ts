/**
 * The words a user reads. English is the key, so that code reads as the screen does; every other
 * language is a table beside this file. Knows neither the document nor the screen.
 */
import i18next from "i18next";
import { english } from "./english";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

/** The tables, each fetched when it is first spoken. English needs only its plurals. */
const TABLES: Readonly<Record<Language, () => Promise<Readonly<Record<string, string>>>>> = {
  en: async () => english,
  de: async () => (await import("./german")).german,
};

type Values = Readonly<Record<string, string | number>>;

const words = i18next.createInstance();
void words.init({
  lng: "en",
  fallbackLng: "en",
  keySeparator: false,
  nsSeparator: false,
  initAsync: false,
  // What is filled in is text, never another key.
  interpolation: { escapeValue: false, skipOnVariables: true },
  resources: { en: { translation: english } },
});

/**
 * A sentence in the user's language; `{{name}}` in it becomes `values.name`, and `count` chooses
 * the plural. Called where it is shown, never at import, since the language may change.
 */
export function t(text: string, values?: Values): string {
  return values === undefined ? words.t(text) : words.t(text, { ...values });
}

/** Words that were kept or came from elsewhere: in the user's language where they are ours. */
export function said(text: string): string {
  return words.exists(text) ? words.t(text) : text;
}

/** The language that is spoken now, as Intl and `<html lang>` call it. */
export function spoken(): string {
  return words.language;
}

/** The first language of the browser that there is a table for. */
export function preferred(asked: readonly string[]): Language {
  for (const each of asked) {
    const language = each.toLowerCase().split("-")[0] ?? "";
    if (language in LANGUAGES) return language as Language;
  }
  return "en";
}

/** Speaks another language from now on; what is on the screen has to be drawn again. */
export async function speak(language: Language): Promise<void> {
  if (!words.hasResourceBundle(language, "translation")) {
    words.addResourceBundle(language, "translation", await TABLES[language]());
  }
  await words.changeLanguage(language);
  document.documentElement.lang = language;
  document.documentElement.dir = words.dir(language);
}
