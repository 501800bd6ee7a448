/** Who may ask for the active document: what the user does now, and nothing that draws or waits. */
import { parseSync } from "vite";
import { expect, test } from "vitest";
import { importsOf, lateCalls, sourcesOf } from "./house/sources";

const ours = sourcesOf("src");

/** What acts on the document that is active when it is called. */
const ACTIVE = new Set(["activeTab", "activeEditor", "edit", "select", "endThread", "undoEdit"]);

test("nothing that happens later acts on the active document", () => {
  expect(ours.flatMap((source) => lateCalls(source, ACTIVE))).toEqual([]);
});

test("calls that run later are found", () => {
  const text = `
    async function one() { edit(); await two(); edit(); }
    function two() { three().then(() => edit()); setTimeout(edit, 1); }
    async function four() { await two(); list.map(() => other()); }
  `;
  const source = { path: "sample.ts", text, parsed: parseSync("sample.ts", text) };
  expect(lateCalls(source, ACTIVE)).toEqual(["sample.ts:2 edit", "sample.ts:3 edit"]);
});

/** Folders that draw, or compute what is drawn: they read the editor of their view. */
const DRAWING = /^src\/(canvas|widgets|state\/nodes)\//;

test("what draws a view reads its editor, not the active document", () => {
  const asking = ours
    .filter(({ path }) => DRAWING.test(path))
    .filter((source) =>
      importsOf(source).some(({ names }) =>
        names.some((name) => name === "activeTab" || name === "useActive" || name === "activeOf"),
      ),
    );
  expect(asking.map(({ path }) => path)).toEqual([]);
});
