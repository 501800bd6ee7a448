/** Whether all text for users goes through `t()`, and every language is complete. */
import { expect, test } from "vitest";
import { english } from "../../src/words/english";
import { german } from "../../src/words/german";
import { sourcesOf } from "../house/sources";
import { holesOf, wordsOfSources } from "./sources";

/** Text that looks like words for users, but is not translated. */
const NOT_WORDS = new Map([
  // The brand, and languages by their own names.
  ["Calotype", "brand"],
  ["English", "its own name"],
  ["Deutsch", "its own name"],
  // Names of keys in events, and endings of command ids.
  ["Control", "key"],
  ["Meta", "key"],
  ["Escape", "key"],
  ["Left", "id"],
  ["Right", "id"],
  ["Up", "id"],
  // Names and descriptions of nodes, which are not translated.
  ["Primitive", "node"],
  ["Canny,LoadImage", "classes of nodes"],
  [
    "Supplies its value to the inputs it is connected to. In new graphs, use a node for one type of value.",
    "node",
  ],
  // Names of classes, colours and paths.
  // biome-ignore lint/suspicious/noTemplateCurlyInString: sources as they are written
  ["`socket nokey ${familyOf(type)}`", "class"],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: sources as they are written
  ["`color-mix(in srgb, ${one} 45%, ${other})`", "colour"],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: sources as they are written
  ["`models/${need.kind}`", "path"],
]);

/** Translated under names that are also names in the code. */
const BY_NAME = ["x", "y", "width", "height"];

const { keys, past } = wordsOfSources(new Set(NOT_WORDS.keys()));
for (const name of BY_NAME) keys.set(name, { plural: false, where: "widgets/MarksEditor.tsx" });

const plural = new Set([...keys].flatMap(([key, { plural }]) => (plural ? [key] : [])));
const asked = [...keys.keys()].flatMap((key) =>
  plural.has(key) ? [`${key}_one`, `${key}_other`] : [key],
);

test("no words reach the screen past t(), and none without their values", () => {
  expect(past).toEqual([]);
});

test("the sources are really read", () => {
  expect(keys.size).toBeGreaterThan(700);
  expect(keys.has("Undo: {{what}}")).toBe(true);
  expect(keys.has("Bypass the selected nodes")).toBe(true);
});

test("English has one and other of all that is counted, and nothing else", () => {
  const counted = [...plural].flatMap((key) => [`${key}_one`, `${key}_other`]);
  expect(Object.keys(english).sort()).toEqual(counted.sort());
});

test("German says all of it", () => {
  expect(asked.filter((key) => !(key in german))).toEqual([]);
  expect(Object.entries(german).filter(([, text]) => text.trim() === "")).toEqual([]);
});

test("German says nothing that is not asked for any more", () => {
  const wanted = new Set(asked);
  expect(Object.keys(german).filter((key) => !wanted.has(key))).toEqual([]);
});

test("German has each sentence in one place", () => {
  const places = new Map<string, string[]>();
  for (const { path, text } of sourcesOf("src/words/german")) {
    for (const [, quoted, bare] of text.matchAll(/^ {2}(?:("(?:[^"\\]|\\.)*")|(\w+)):/gm)) {
      const key = quoted === undefined ? (bare ?? "") : String(JSON.parse(quoted));
      places.set(key, [...(places.get(key) ?? []), path]);
    }
  }
  expect(places.size).toBe(Object.keys(german).length);
  expect([...places].filter(([, files]) => files.length > 1)).toEqual([]);
});

test.each([
  ["English", english],
  ["German", german],
])("%s fills in the same values", (_, table) => {
  const wrong = Object.entries(table).filter(([key, text]) => {
    const [given, used] = [holesOf(key), holesOf(text)];
    // A singular may be written without its number.
    const needed = key.endsWith("_one") ? given.filter((each) => each !== "count") : given;
    return (
      used.some((each) => !given.includes(each)) || needed.some((each) => !used.includes(each))
    );
  });
  expect(wrong).toEqual([]);
});

test("sentences use the common words of the field", () => {
  const odd =
    /\b(however they|all that|told|lies?|lie in|let go|so many|is called that|put down|waits? behind|need a look|look at|nothing waits|run in a circle|is gone are)\b/i;
  expect(asked.filter((key) => odd.test(key) || odd.test(english[key] ?? ""))).toEqual([]);
});

test("sentences are plain", () => {
  expect(asked.filter((key) => /!|successful|please/i.test(key))).toEqual([]);
});
