/**
 * JSON in the forms of real workflows: whole numbers of any size, bare NaN, and strings of many
 * megabytes.
 */
import { expect, test } from "vitest";
import { parseJson, writeJson } from "../../src/document/json";

test.each([
  ['{"seed":18446744073709551615}', { seed: 18446744073709551615n }],
  ['["18446744073709551615", NaN, -Infinity]', ["18446744073709551615", Number.NaN, -Infinity]],
  [
    '{"a\\\\":1234567890123456789,"b\\"":"NaN \\\\\\" 1234567890123456789"}',
    { "a\\": 1234567890123456789n, 'b"': 'NaN \\" 1234567890123456789' },
  ],
  ['["NaN","\\\\",NaN]', ["NaN", "\\", Number.NaN]],
  ["1234567890123456789", 1234567890123456789n],
  ["[1e300, 0.125]", [1e300, 0.125]],
])("%s is read without loss", (text, value) => {
  expect(parseJson(text)).toEqual(value);
});

test("a string of megabytes is read and written, beside a number that needs care", () => {
  const long = `${"x".repeat(9_000_000)}\\"${"\\\\".repeat(1000)}`;
  const text = `{"text":"${long}","seed":18446744073709551615}`;
  const value = parseJson(text);
  expect(value).toMatchObject({ seed: 18446744073709551615n });
  expect(writeJson(value)).toBe(text);
});

test.each(['{"a": NaN', '"open', "[1234567890123456789", "", '["a\\\\"NaN"]'])(
  "%s is no JSON",
  (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError);
  },
);

test("what is nested beyond the stack is no JSON, and says so", () => {
  const deep = `${"[".repeat(200_000)}NaN${"]".repeat(200_000)}`;
  expect(() => parseJson(deep)).toThrow(/nested too deeply/);
});
