/** The linter restricts each package to its allowed imports. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";

const WEB = resolve(import.meta.dirname, "..");
const BIOME = resolve(WEB, "node_modules/@biomejs/biome/bin/biome");
const house = mkdtempSync(join(tmpdir(), "calotype-walls-"));
copyFileSync(join(WEB, "biome.json"), join(house, "biome.json"));

afterAll(() => rmSync(house, { recursive: true }));

/** The linter's output for a file in a package that has this import. */
function lint(room: string, imported: string): string {
  const folder = join(house, "src", room);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "wall.ts");
  writeFileSync(file, `import * as other from "${imported}";\nexport const one = other;\n`);
  const ran = spawnSync(process.execPath, [BIOME, "lint", file], { cwd: house, encoding: "utf8" });
  return ran.stdout + ran.stderr;
}

test.each([
  ["document", "../api/client"],
  ["document", "react"],
  ["api", "../document/json"],
  ["state", "../canvas/flow"],
  ["state/commands", "../../panels/Dock"],
  ["words", "../state/view"],
  ["widgets", "../state/view"],
  ["widgets", "../api/client"],
  ["canvas", "../panels/Dock"],
  ["panels", "../canvas/flow"],
])("%s may not import %s", (room, imported) => {
  expect(lint(room, imported)).toContain("noRestrictedImports");
});

test.each([
  ["document", "./json"],
  ["state", "../document/json"],
  ["state", "../api/client"],
  ["widgets", "../api/types"],
  ["widgets", "../words/words"],
  ["state/commands", "../view"],
  ["canvas", "../state/view"],
])("%s may import %s", (room, imported) => {
  expect(lint(room, imported)).not.toContain("noRestrictedImports");
});
