/** The licence notices cover all third-party code in the build. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { foldersOf, textOf } from "../licences";
import declared from "../package.json";

const place = mkdtempSync(join(tmpdir(), "calotype-licences-"));

afterAll(() => rmSync(place, { recursive: true }));

function packed(name: string, license: string, file: string | null): string {
  const folder = join(place, "node_modules", name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name, version: "1.2.3", license }));
  if (file !== null) writeFileSync(join(folder, file), `The terms of ${name}\n`);
  return folder;
}

test("every package counts once, however deep its modules lie", () => {
  const modules = [
    "/a/web/src/main.tsx",
    "\0/a/web/node_modules/react/index.js?commonjs-proxy",
    "/a/web/node_modules/react/cjs/react.production.js",
    "/a/web/node_modules/@xyflow/react/dist/esm/index.js",
    "/a/web/node_modules/@xyflow/react/node_modules/zustand/esm/index.mjs",
    "C:\\a\\web\\node_modules\\konva\\lib\\Core.js",
  ];
  expect(foldersOf(modules)).toEqual([
    "/a/web/node_modules/@xyflow/react",
    "C:/a/web/node_modules/konva",
    "/a/web/node_modules/react",
    "/a/web/node_modules/@xyflow/react/node_modules/zustand",
  ]);
});

test("the text of each licence is there, with its name and version", () => {
  const text = textOf([packed("one", "MIT", "LICENSE"), packed("two", "ISC", "license.md")]);
  expect(text).toContain("one 1.2.3 (MIT)\n\nThe terms of one\n");
  expect(text).toContain("two 1.2.3 (ISC)\n\nThe terms of two\n");
});

test("a package without its text, or under other terms, stops the build", () => {
  expect(() => textOf([packed("bare", "MIT", null)])).toThrow("no text of its licence");
  expect(() => textOf([packed("copyleft", "GPL-3.0", "LICENSE")])).toThrow("GPL-3.0");
});

test("what the editor depends on may go into it", () => {
  const folders = Object.keys(declared.dependencies).map((name) =>
    join(import.meta.dirname, "../node_modules", name),
  );
  expect(textOf(folders)).toContain("react ");
  expect(textOf(folders)).toContain("SIL Open Font License, Version 1.1");
});
