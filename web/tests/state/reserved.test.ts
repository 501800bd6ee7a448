/** Whether pages receive the default keys: browsers reserve some for their own tabs and windows. */
import { expect, test } from "vitest";
import { COMMANDS } from "../../src/state/commands/all";
import { PRESETS } from "../../src/state/commands/presets";

/** Chrome and Edge pass these to no page, even if the page would prevent their default. */
const RESERVED = new Set([
  "Ctrl+N",
  "Ctrl+T",
  "Ctrl+W",
  "Ctrl+Shift+N",
  "Ctrl+Shift+T",
  "Ctrl+Shift+W",
  "Ctrl+Shift+Q",
  "Ctrl+Tab",
  "Ctrl+Shift+Tab",
  "Ctrl+PageUp",
  "Ctrl+PageDown",
  "Alt+F4",
]);

test("no command has a key that the browser keeps for itself", () => {
  const keys = COMMANDS.flatMap(({ id, keys = [] }) => keys.map((key) => [id, key] as const));
  const others = Object.values(PRESETS).flatMap((preset) =>
    Object.entries(preset).flatMap(([id, keys]) => keys.map((key) => [id, key] as const)),
  );
  expect(keys.length).toBeGreaterThan(80);
  expect([...keys, ...others].filter(([, key]) => RESERVED.has(key))).toEqual([]);
});
