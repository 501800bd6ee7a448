/** The bytes of script that the built editor's first page loads, and those loaded later. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";

const DIST = resolve(import.meta.dirname, "../../dist");
const IMPORTED = /\bfrom\s*"\.\/([^"]+\.js)"|\bimport\s*"\.\/([^"]+\.js)"/g;

interface Bytes {
  /** Gzipped size of the scripts in index.html and all their static imports. */
  initial: number;
  /** Gzipped size of the scripts that are loaded on demand. */
  later: number;
}

export function scriptBytes(): Bytes {
  const first = new Set<string>();
  const open = [
    ...readFileSync(join(DIST, "index.html"), "utf8").matchAll(/["'][^"']*?([^"'/]+\.js)["']/g),
  ].map((found) => basename(found[1] ?? ""));
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (first.has(name)) continue;
    first.add(name);
    for (const found of source(name).matchAll(IMPORTED)) open.push(found[1] ?? found[2] ?? "");
  }
  const all = readdirSync(join(DIST, "assets")).filter((name) => name.endsWith(".js"));
  const sum = (names: Iterable<string>) =>
    [...names].reduce((bytes, name) => bytes + gzipSync(source(name)).length, 0);
  return { initial: sum(first), later: sum(all.filter((name) => !first.has(name))) };
}

function source(name: string): string {
  return readFileSync(join(DIST, "assets", name), "utf8");
}
