/**
 * Messages of a plugin's page: values that are too large, too deep or of the wrong type are
 * rejected.
 */
import { expect, test } from "vitest";
import { isPlainData, MAX_HEIGHT, readMessage } from "../../src/api/extensions";

const said = (message: object) => readMessage({ calotype: 1, ...message });

test.each([
  [{ type: "ready" }, { type: "ready" }],
  [
    { type: "change", value: { deep: [1, "two", null, 3n] } },
    { type: "change", value: { deep: [1, "two", null, 3n] }, done: false },
  ],
  [
    { type: "size", height: 1e9 },
    { type: "size", height: MAX_HEIGHT },
  ],
  [
    { type: "size", height: -4 },
    { type: "size", height: 24 },
  ],
  [
    { type: "tell", text: "x".repeat(400) },
    { type: "tell", text: "x".repeat(300) },
  ],
])("%o is understood", (message, understood) => {
  expect(said(message)).toEqual(understood);
});

test.each([
  null,
  "ready",
  { type: "ready" },
  { calotype: 2, type: "ready" },
  { calotype: 1, type: "eval" },
  { calotype: 1, type: "size", height: "10" },
  { calotype: 1, type: "key", key: "z", ctrlKey: true },
  { calotype: 1, type: "size", height: Number.NaN },
  { calotype: 1, type: "change", value: () => 1 },
  { calotype: 1, type: "change", value: undefined },
  { calotype: 1, type: "change", value: new Map() },
  { calotype: 1, type: "change", value: Number.POSITIVE_INFINITY },
  { calotype: 1, type: "insert" },
])("%o is no message", (message) => {
  expect(readMessage(message)).toBeNull();
});

test("values that are too much or too deep are not taken", () => {
  expect(isPlainData("x".repeat(1 << 21))).toBe(false);
  const circle: unknown[] = [];
  circle.push(circle);
  expect(isPlainData(circle)).toBe(false);
});
