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

/** The folders of `state/`, each of which imports only those before it. */
const ORDER = "embedded nodes finding editing fields files runs results commands".split(" ");

/** Imports against the order that are still there: none is added, and each may only be removed. */
const AGAINST_ORDER: readonly string[] = [
  "editing/actions files/blueprints",
  "editing/clipboard files/prompt",
  "editing/connecting runs/places",
  "editing/connecting runs/runs",
  "editing/replacing runs/places",
  "fields/completions files/files",
  "fields/masking files/lists",
  "fields/media files/lists",
  "files/files runs/running",
  "files/needs runs/runs",
  "finding/offers editing/connecting",
  "finding/offers editing/levels",
  "finding/offers editing/replacing",
  "finding/offers files/blueprints",
  "nodes/boxes runs/places",
  "nodes/boxes runs/runs",
  "nodes/shape editing/boundary",
  "nodes/shape fields/fileValue",
  "nodes/sources fields/fileValue",
  "nodes/sources fields/mediaTypes",
  "nodes/sources runs/places",
  "nodes/sources runs/runs",
  "runs/batch results/history",
];

test("the folders of state/ import in one order", () => {
  const placeOf = (path: string) => ORDER.indexOf(path.split("/")[2] ?? "");
  const against = ours
    .filter(({ path }) => placeOf(path) >= 0)
    .flatMap((source) =>
      importsOf(source)
        .filter(({ to, types, lazy }) => !types && !lazy && placeOf(to) > placeOf(source.path))
        .map(({ to }) => `${source.path} ${to}`.replaceAll(/src\/state\/|\.tsx?\b/g, "")),
    );
  expect(against).toEqual(AGAINST_ORDER);
});

test("every folder of state/ has a place in the order", () => {
  const folders = ours.flatMap(({ path }) => /^src\/state\/(\w+)\//.exec(path)?.[1] ?? []);
  expect([...new Set(folders)].sort()).toEqual([...ORDER].sort());
});
