/** The words and formats of two languages. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { shownKey } from "../../src/state/commands/keymap";
import {
  amount,
  anyOf,
  bytesOf,
  longDay,
  percent,
  rateWords,
  spanOf,
} from "../../src/words/format";
import {
  currentLanguage,
  preferredLanguage,
  setLanguage,
  t,
  translateMessage,
} from "../../src/words/words";

test("the first language of the browser that is known is spoken", () => {
  expect(preferredLanguage(["fr-CA", "de-AT", "en"])).toBe("de");
  expect(preferredLanguage(["DE"])).toBe("de");
  expect(preferredLanguage(["ja"])).toBe("en");
  expect(preferredLanguage([])).toBe("en");
});

test("lengths of time and amounts are no more exact than anyone reads", () => {
  expect([0.85, 9.949, 12.4, 120, 3900, 93_600].map(spanOf)).toEqual([
    "850 ms",
    "9.9 s",
    "12 s",
    "2 min",
    "1 h 5 min",
    "26 h",
  ]);
  expect(percent(0.5)).toBe("50%");
  expect(anyOf(["IMAGE", "MASK"])).toBe("IMAGE or MASK");
});

test("words that came from elsewhere are never filled in", () => {
  expect(translateMessage("Move")).toBe("Move");
  expect(translateMessage("{{count}} of $t(Save)")).toBe("{{count}} of $t(Save)");
  expect(t("Add {{name}}", { name: "$t(Save) {{x}}" })).toBe("Add $t(Save) {{x}}");
});

describe("in German", () => {
  const page = { lang: "en", dir: "" };
  beforeAll(async () => {
    vi.stubGlobal("document", { documentElement: page });
    await setLanguage("de");
  });
  afterAll(async () => {
    await setLanguage("en");
    vi.unstubAllGlobals();
  });

  test("the page says which language it is in, and which way it runs", () => {
    expect(currentLanguage()).toBe("de");
    expect(page).toEqual({ lang: "de", dir: "ltr" });
  });

  test("numbers have a comma", () => {
    expect(amount(1234.5, 1)).toBe("1.234,5");
    expect(spanOf(4.26)).toBe("4,3 s");
    expect(bytesOf(2.14e9)).toBe("2,1 GB");
    expect(rateWords(3.24)).toBe("3,2 it/s");
    expect(percent(0.5)).toBe("50\u00a0%");
  });

  test("days, lists and keys are named", () => {
    expect(longDay(new Date(2026, 10, 20), new Date(2026, 10, 22))).toBe("Freitag, 20. November");
    expect(anyOf(["IMAGE", "MASK"])).toBe("IMAGE oder MASK");
    expect(shownKey("Ctrl+Shift+Delete")).toBe("Strg Shift Entf");
  });

  test("what was kept in English is said in German", () => {
    expect(translateMessage("Move")).toBe("Verschieben");
    expect(t("{{count}} results", { count: 1 })).toBe("1 Ergebnis");
  });
});
