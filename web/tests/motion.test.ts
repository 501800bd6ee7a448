/** Motion in the style sheets: short, and all of it ends where the system is set to reduced motion. */
import { expect, test } from "vitest";
import { filesOf, textOf } from "./house/sources";
import { withoutComments } from "./house/styles";

const LONGEST = 150;
const sheets = filesOf("src", /\.css$/).map((path) => ({
  path,
  text: withoutComments(textOf(path)),
}));

/** The durations of a declaration in milliseconds. */
function durationsOf(value: string): number[] {
  return [...value.matchAll(/([\d.]+)(ms|s)\b/g)].map(
    ([, number, unit]) => Number(number) * (unit === "s" ? 1000 : 1),
  );
}

test("no movement takes longer than 150 ms, except what turns while something works", () => {
  const declared = sheets.flatMap(({ path, text }) =>
    [...text.matchAll(/(?:transition|animation|--quick|--slow)[\w-]*:\s*([^;}]+)/g)]
      .map(([, value = ""]) => value)
      .filter((value) => !value.includes("infinite"))
      .flatMap((value) => durationsOf(value).map((duration) => ({ path, duration }))),
  );
  expect(declared.length).toBeGreaterThan(8);
  expect(declared.filter(({ duration }) => duration > LONGEST)).toEqual([]);
});

test("a duration is read in seconds and in milliseconds", () => {
  expect(durationsOf("rise 0.2s ease-out, spin 90ms linear")).toEqual([200, 90]);
});
