/** Who may ask for the active document: what the user does now, and nothing that draws or waits. */
import { parseSync } from "vite";
import { expect, test } from "vitest";
import { importsOf, lateCalls, sourcesOf } from "./house/sources";

const ours = sourcesOf("src");

/** What asks for the active document, or for the editor of it. */
const ACTIVE = new Set(["activeTab", "activeEditor"]);

/** Commands act on the active document; `session/` says which it is; the others follow it. */
const ASKING =
  /^src\/state\/(commands|session)\/|^src\/state\/(runs\/(checking|watch)|files\/fileDrops)\.ts$/;

test("only commands act on the active document; all else is given its editor", () => {
  const asking = ours
    .filter(({ path }) => !ASKING.test(path))
    .filter((source) =>
      importsOf(source).some(({ names }) => names.some((name) => ACTIVE.has(name))),
    );
  expect(asking.map(({ path }) => path)).toEqual([]);
});

test("nothing that happens later asks which document is active", () => {
  expect(ours.flatMap((source) => lateCalls(source, ACTIVE))).toEqual([]);
});

test("calls that run later are found", () => {
  const text = `
    async function one() { edit(); await two(); edit(); }
    function two() { three().then(() => edit()); setTimeout(edit, 1); }
    async function four() { await two(); list.map(() => other()); }
  `;
  const source = { path: "sample.ts", text, parsed: parseSync("sample.ts", text) };
  expect(lateCalls(source, new Set(["edit"]))).toEqual(["sample.ts:2 edit", "sample.ts:3 edit"]);
});

/** Folders that draw, or compute what is drawn: they read the editor of their view. */
const DRAWING =
  /^src\/(canvas|widgets|state\/nodes)\/|state\/(editing\/boxes|fields\/sources|session\/content)/;

test("what draws a view reads its editor, not the active document", () => {
  const asking = ours
    .filter(({ path }) => DRAWING.test(path))
    .filter((source) =>
      importsOf(source).some(({ names }) =>
        names.some((name) => name === "useActive" || name === "activeOf"),
      ),
    );
  expect(asking.map(({ path }) => path)).toEqual([]);
});

/** The folders of `state/`, each of which imports only those before it; `docs/tour.md` says what each holds. */
const ORDER =
  "nodes session catalog embedded outcomes finding editing fields files runs results commands".split(
    " ",
  );

test("the folders of state/ import in one order", () => {
  const placeOf = (path: string) => ORDER.indexOf(path.split("/")[2] ?? "");
  const against = ours
    .filter(({ path }) => placeOf(path) >= 0)
    .flatMap((source) =>
      importsOf(source)
        .filter(({ to, types, lazy }) => !types && !lazy && placeOf(to) > placeOf(source.path))
        .map(({ to }) => `${source.path} ${to}`.replaceAll(/src\/state\/|\.tsx?\b/g, "")),
    );
  expect(against).toEqual([]);
});

test("nothing of state/ lies outside its folders, and each of them has a place in the order", () => {
  const folders = ours.flatMap(({ path }) => /^src\/state\/(.*?)[^/]*$/.exec(path)?.[1] ?? []);
  expect([...new Set(folders)].sort()).toEqual(ORDER.map((each) => `${each}/`).sort());
});

test("one module decides what a result is", () => {
  const deciding = ours.filter((source) =>
    importsOf(source).some(({ names }) => names.includes("shownKindOf")),
  );
  expect(deciding.map(({ path }) => path)).toEqual(["src/state/outcomes/outputs.ts"]);
});

/** Who follows the pointer besides `followPointer`, none of them in a drag, and why. */
const FOLLOWING: readonly string[] = [
  "src/canvas/Gestures.tsx", // reads whether Ctrl is held
  "src/canvas/paintedWires.ts", // a painted wire near the pointer becomes an element
  "src/canvas/pointing.ts", // what is painted under the pointer
  "src/canvas/pullPointer.ts", // a wire follows the pointer between two taps, too
  "src/canvas/touch.ts", // a long press ends where the finger moves
  "src/panels/mask/MaskStage.ts", // the ring around the brush
  "src/prefetch.ts", // waits until nothing moves
  "src/widgets/Listbox.tsx", // the option under the pointer
  "src/widgets/Menu.tsx", // the entry under the pointer
  "src/widgets/pointerDrag.ts",
];

test("every drag uses the same hook", () => {
  const moves = ours.filter(({ text }) =>
    /pointermove|onPointerMove|mousemove|onMouseMove/.test(text),
  );
  expect(moves.map(({ path }) => path)).toEqual(FOLLOWING);
  const captures = ours.filter(({ text }) => text.includes("setPointerCapture"));
  expect(captures.map(({ path }) => path)).toEqual([
    "src/canvas/pullPointer.ts",
    "src/widgets/pointerDrag.ts",
  ]);
});
