/**
 * The licences of other people's code in the built editor, gathered while it is built: each of them
 * asks that its text goes along. Knows modules by their paths only.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

export const FILE = "licences.txt";

const RULE = `${"-".repeat(80)}\n`;
/** The typeface is not a package: its files, with their licence, are part of the sources. */
const TYPEFACE = join(import.meta.dirname, "src/fonts/LICENSE.txt");
const FOLDER = "/node_modules/";
const TEXT = /^licen[cs]e(\.(md|txt))?$/i;
/** Licences that a program under Apache-2.0 may carry along. */
const ALLOWED: ReadonlySet<string> = new Set([
  "MIT",
  "ISC",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "0BSD",
  "Apache-2.0",
]);

interface Manifest {
  name: string;
  version: string;
  license?: string;
}

/** Writes `licences.txt` beside the editor; `within` goes into the builds of workers. */
export function licences(): { whole: Plugin; within: () => Plugin[] } {
  const modules = new Set<string>();
  const gather: Plugin["generateBundle"] = (_, bundle) => {
    for (const part of Object.values(bundle)) {
      if (part.type === "chunk") for (const id of part.moduleIds) modules.add(id);
    }
  };
  return {
    within: () => [{ name: "calotype:licences-of-workers", generateBundle: gather }],
    whole: {
      name: "calotype:licences",
      apply: "build",
      generateBundle(options, bundle, isWrite) {
        gather.call(this, options, bundle, isWrite);
        this.emitFile({ type: "asset", fileName: FILE, source: textOf(foldersOf(modules)) });
      },
    },
  };
}

/** The folders of the packages that modules come from, each once, by name. */
export function foldersOf(modules: Iterable<string>): string[] {
  const folders = new Set<string>();
  for (const id of modules) {
    const path = id.replaceAll("\\", "/").replace(/^\0/, "");
    const at = path.lastIndexOf(FOLDER);
    if (at < 0) continue;
    const [scope = "", name = ""] = path.slice(at + FOLDER.length).split("/");
    folders.add(
      path.slice(0, at + FOLDER.length) + (scope.startsWith("@") ? `${scope}/${name}` : scope),
    );
  }
  return [...folders].sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
}

function nameOf(folder: string): string {
  return folder.slice(folder.lastIndexOf(FOLDER) + FOLDER.length);
}

/** All licences as one text; an error for a package whose licence is missing or not allowed. */
export function textOf(folders: readonly string[]): string {
  const parts = folders.map((folder) => {
    const { name, version, license = "none" } = manifestOf(folder);
    if (!ALLOWED.has(license))
      throw new Error(`${name}: the licence ${license} is not one that may go into the editor.`);
    const file = readdirSync(folder).find((each) => TEXT.test(each));
    if (file === undefined)
      throw new Error(`${name}: there is no text of its licence in ${folder}.`);
    return `${RULE}${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  const typeface = `${RULE}Inter (OFL-1.1)\n\n${readFileSync(TYPEFACE, "utf8").trim()}\n`;
  const opening =
    "The editor contains code and a typeface of other projects, under these licences.\n";
  return [opening, ...parts, typeface].join("\n");
}

function manifestOf(folder: string): Manifest {
  const file = join(folder, "package.json");
  if (!existsSync(file)) throw new Error(`${folder}: there is no package.json.`);
  return JSON.parse(readFileSync(file, "utf8")) as Manifest;
}
