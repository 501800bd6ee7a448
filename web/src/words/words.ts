/**
 * The words a user reads. English is the key, so that code reads as the screen does; every other
 * language is a table beside this file. Knows neither the document nor the screen.
 */
import i18next from "i18next";
import { english } from "./english";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

export type Values = Readonly<Record<string, string | number>>;

const words = i18next.createInstance();
void words.init({
  lng: "en",
  fallbackLng: "en",
  keySeparator: false,
  nsSeparator: false,
  initAsync: false,
  interpolation: { escapeValue: false },
  resources: { en: { translation: english } },
});

/**
 * A sentence in the user's language; `{{name}}` in it becomes `values.name`, and `count` chooses
 * the plural. Called where it is shown, never at import, since the language may change.
 */
export function t(text: string, values?: Values): string {
  return values === undefined ? words.t(text) : words.t(text, { ...values });
}

/** Speaks another language from now on; what is on the screen has to be drawn again. */
export async function speak(language: Language): Promise<void> {
  if (language === "de" && !words.hasResourceBundle("de", "translation")) {
    const { german } = await import("./german");
    words.addResourceBundle("de", "translation", german);
  }
  await words.changeLanguage(language);
  document.documentElement.lang = language;
}
