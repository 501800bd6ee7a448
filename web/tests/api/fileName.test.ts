/** Names of the user's files are changed only where a file system would reject them. */
import { Buffer } from "node:buffer";
import { expect, test } from "vitest";
import { fileNameFor } from "../../src/api/fileName";

test.each([
  ["fox.png", "fox.png"],
  ["what? a:b.png", "what_ a_b.png"],
  ['a*b<c>|"d.png', "a_b_c___d.png"],
  ["Füchsin ❄ 狐.webp", "Füchsin ❄ 狐.webp"],
  [".hidden.png", "_hidden.png"],
  ["..png", "_png"],
  ["CON.png", "_CON.png"],
  ["con", "_con"],
  ["console.png", "console.png"],
  ["a/b\\c.png", "a_b_c.png"],
  ["ends. . .", "ends"],
  [" x .png ", "x.png"],
  ["tab\tand\u0000nul.png", "tab_and_nul.png"],
  ["\ud800.png", "_.png"],
  ["", "_"],
  ["???", "___"],
  ["archive.tar.gz", "archive.tar.gz"],
])("%j is kept as %j", (given, kept) => {
  expect(fileNameFor(given)).toBe(kept);
});

test("a long name is cut before its ending, between letters", () => {
  const name = fileNameFor(`${"狐".repeat(300)}.png`);
  expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200);
  expect(name).toMatch(/^狐+\.png$/);
  expect(Buffer.byteLength(fileNameFor(`x.${"e".repeat(500)}`))).toBeLessThanOrEqual(255);
});
