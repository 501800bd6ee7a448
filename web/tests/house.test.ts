/** Checks of the architecture: sizes, import rules beyond the linter's, unused exports. */
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { circles } from "./house/circles";
import {
  exportsOf,
  filesOf,
  importsOf,
  linesOf,
  longFunctions,
  type Source,
  sourcesOf,
  textOf,
} from "./house/sources";
import { classesOf, hasColour, selectorsOf, tokensOf, withoutComments } from "./house/styles";

const LONGEST_FILE = 400;
const LONGEST_FUNCTION = 60;
const EMPTY_NAMES = /^(utils?|helpers?|common|misc)\b/i;
/** Files allowed to be longer, with the reason. */
const LONGER: Readonly<Record<string, string>> = {
  "tests/browser/results.test.ts": "its tests share a server with a long history, slow to make",
  "tests/browser/wiring.test.ts": "its tests share how wires are found on the screen",
};
const GENERATED = "src/api/types.ts";
/** Entry points of a page or a worker, and files read only by the build. */
const ENTRIES = new Set(["src/main.tsx", "src/document/autoLayoutWorker.ts"]);
/** Files in which colours are data: written to files, or painted into pictures. */
const COLOURS_AS_DATA = new Set([
  "src/document/notes.ts",
  "src/model/view.ts",
  "src/panels/mask/MaskStage.ts",
  "src/state/nodes/colours.ts",
  "src/state/nodes/widgets.ts",
  "src/widgets/ColorField.tsx",
  "src/widgets/PaintingEditor.tsx",
  "src/widgets/PaintingField.tsx",
  "src/widgets/painting.ts",
]);

const ours = sourcesOf("src");
const tests = sourcesOf("tests");
const styles = filesOf("src", /\.css$/);
const all = [...ours, ...tests];

describe("sizes", () => {
  test("a file has at most 400 lines", () => {
    const texts = [...all, ...styles.map((path) => ({ path, text: textOf(path) }))];
    const long = texts.filter(
      ({ path, text }) => path !== GENERATED && text.trimEnd().split("\n").length > LONGEST_FILE,
    );
    expect(long.map(({ path }) => path).sort()).toEqual(Object.keys(LONGER).sort());
  });

  test("a function has at most 60 lines", () => {
    expect(all.flatMap((source) => longFunctions(source, LONGEST_FUNCTION))).toEqual([]);
  });
});

describe("modules", () => {
  test("each opens with what it is for", () => {
    const silent = all.filter(
      ({ text }) => !/^\/\*[*\s]*[\w`"(]/.test(text) && !text.startsWith("// "),
    );
    expect(silent.map(({ path }) => path)).toEqual([]);
    expect(styles.filter((path) => !textOf(path).startsWith("/*"))).toEqual([]);
  });

  test("what they give has a name, and so have they", () => {
    expect(all.filter((source) => exportsOf(source).includes("default")).map(pathOf)).toEqual([]);
    expect(all.map(pathOf).filter((path) => EMPTY_NAMES.test(basename(path)))).toEqual([]);
  });

  test("none imports what imports it", () => {
    const edges = new Map(
      all.map((source) => [source.path, importsOf(source).map(({ to }) => to)]),
    );
    expect(circles(edges)).toEqual([]);
  });

  test("what is given is taken, and in the editor itself where it is not tried alone", () => {
    expect(unused(ours, all)).toEqual([]);
    expect(unused(tests, tests)).toEqual([]);
    const onlyTried = new Set(unused(ours, ours));
    const dead = ours.flatMap((source) =>
      exportsOf(source)
        .filter((name) => onlyTried.has(`${source.path} ${name}`))
        .filter((name) => source.text.split(new RegExp(`\\b${name}\\b`)).length < 3)
        .map((name) => `${source.path} ${name}`),
    );
    expect(dead).toEqual([]);
  });

  test("what is left undone is not noted in the code", () => {
    const noted = ours.filter(({ text }) => /\b(TODO|FIXME|XXX|HACK)\b/.test(text));
    expect(noted.map(pathOf)).toEqual([]);
  });

  test("the browser's own questions, which stop the page, are not asked", () => {
    const asking = ours.filter(({ text }) => /\bwindow\.(confirm|prompt|alert)\(/.test(text));
    expect(asking.map(pathOf)).toEqual([]);
  });
});

describe("styles", () => {
  const sheets = styles.map((path) => ({ path, text: withoutComments(textOf(path)) }));
  const code = ours.map(({ text }) => text).join("\n") + textOf("index.html");

  test("colours are tokens of the theme", () => {
    const raw = sheets.filter(({ path }) => path !== "src/theme.css").filter(hasColour);
    expect(raw.map(({ path }) => path)).toEqual([]);
    const inCode = ours.filter(({ text }) => /["'`]#[0-9a-f]{3,8}["'`]/i.test(text)).map(pathOf);
    expect(inCode.filter((path) => !COLOURS_AS_DATA.has(path))).toEqual([]);
  });

  test("every class is worn", () => {
    const words = new Set(code.match(/[A-Za-z_][\w-]*/g));
    const begun = [...code.matchAll(/([A-Za-z][\w-]*-)\$\{/g)].map((match) => match[1] ?? "");
    const bare = sheets.flatMap(({ path, text }) =>
      classesOf(text)
        .filter((name) => !words.has(name) && !begun.some((start) => name.startsWith(start)))
        .filter((name) => !name.startsWith("react-flow"))
        .map((name) => `${path} .${name}`),
    );
    expect(bare).toEqual([]);
  });

  test("what a selector means stands in one sheet", () => {
    const homes = new Map<string, Set<string>>();
    for (const { path, text } of sheets) {
      for (const each of selectorsOf(text)) {
        homes.set(each, (homes.get(each) ?? new Set()).add(path));
      }
    }
    const several = [...homes].filter(([, paths]) => paths.size > 1);
    expect(several.map(([selector, paths]) => `${selector}: ${[...paths].join(", ")}`)).toEqual([]);
  });

  test("every token that is read is there", () => {
    const { set, read } = tokensOf(sheets.map(({ text }) => text).join("\n"));
    const missing = [...read].filter((name) => !set.has(name) && !code.includes(`"${name}`));
    expect(missing).toEqual([]);
  });
});

test("the parser's lines are counted as an editor counts them", () => {
  expect(linesOf("one\ntwo\nthree", { start: 0, end: 7 })).toBe(2);
  expect(
    circles(
      new Map([
        ["a", ["b"]],
        ["b", ["c"]],
        ["c", ["b"]],
      ]),
    ),
  ).toEqual(["b c"]);
});

function pathOf({ path }: Source): string {
  return path;
}

/** Exported names of `givers` that no file of `takers` imports. */
function unused(givers: readonly Source[], takers: readonly Source[]): readonly string[] {
  const taken = new Set(
    takers.flatMap((taker) =>
      importsOf(taker).flatMap(({ to, names }) =>
        // A file that imports a whole module, or imports it dynamically, mentions the names it
        // uses.
        names.includes("*")
          ? (taker.text.match(/\w+/g) ?? []).map((name) => `${to} ${name}`)
          : names.map((name) => `${to} ${name}`),
      ),
    ),
  );
  return givers
    .filter(({ path }) => path !== GENERATED && !ENTRIES.has(path))
    .flatMap((source) => exportsOf(source).map((name) => `${source.path} ${name}`))
    .filter((each) => !taken.has(each));
}
