/**
 * Takes the pictures of the editor's guide again, so that they show its current state.
 *
 *     node tests/pictures.ts [--only wires,mask] [--out ../docs/pictures]   (Node 24; CALOTYPE_PYTHON as in tests)
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Page } from "playwright-core";
import { openPage, type Studio, startStudio } from "./browser/studio.ts";
import { fillHistory, REST, SCENES, type Scene } from "./pictures/scenes.ts";

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    out: { type: "string", default: resolve(import.meta.dirname, "../../docs/pictures") },
  },
});
const MOST_BYTES = 120_000;
/** A WebP quality that keeps text sharp. */
const SHRINK = `
import sys
from PIL import Image
with Image.open(sys.argv[1]) as picture:
    picture.convert("RGB").save(sys.argv[2], quality=int(sys.argv[3]), method=6)
`;

async function take(studio: Studio, name: string, scene: Scene): Promise<void> {
  const page = await openPage(studio, (each) => prepared(each, scene), {
    viewport: { width: 1200, height: 750 },
    deviceScaleFactor: 1.5,
    colorScheme: "dark",
    reducedMotion: "reduce",
    ...scene.device,
  });
  try {
    await scene.show(page, studio);
    await page.waitForTimeout(REST);
    const raw = join(folder, `${name}.png`);
    await page.screenshot({ path: raw, ...(await scene.clip?.(page)) });
    const file = join(options.out, `${name}.webp`);
    const python = process.env.CALOTYPE_PYTHON ?? "python";
    execFileSync(python, ["-c", SHRINK, raw, file, String(scene.quality ?? 82)]);
    const { size } = statSync(file);
    process.stdout.write(`${name.padEnd(16)}${size} bytes\n`);
    if (size > MOST_BYTES) throw new Error(`${name}.webp has ${size} bytes.`);
  } finally {
    await page.context().close();
  }
}

async function prepared(page: Page, { settings = {} }: Scene): Promise<void> {
  const all = { "calotype.theme": "dark", "calotype.timings": false, ...settings };
  await page.route("**/api/settings", (route) =>
    route.request().method() === "GET" ? route.fulfill({ json: all }) : route.fulfill({ body: "" }),
  );
  await page.route("**/api/settings/*", (route) => route.fulfill({ body: "" }));
}

const folder = mkdtempSync(join(tmpdir(), "calotype-pictures-"));
const studio = await startStudio([], undefined, "bundled");
try {
  await fillHistory(studio);
  const wanted = options.only === "" ? Object.keys(SCENES) : options.only.split(",");
  for (const name of wanted) {
    const scene = SCENES[name];
    if (scene === undefined) throw new Error(`There is no picture ${name}.`);
    await take(studio, name, scene);
  }
} finally {
  await studio.close();
  rmSync(folder, { recursive: true });
}
