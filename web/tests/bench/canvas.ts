/**
 * What the editor costs: bytes, time to an editable graph, and panning a thousand nodes.
 *
 *     node tests/bench/canvas.ts          (Node 24; CALOTYPE_SERVER or CALOTYPE_PYTHON as in tests)
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { openPage, type Studio, startStudio } from "../browser/studio.ts";

const WEB = resolve(import.meta.dirname, "../..");
const COPIES = 143;
const REPEATS = 5;
const EVENTS = 30;

interface Saved {
  nodes: {
    id: number;
    pos: [number, number];
    inputs?: { link: number | null }[];
    outputs?: { links: number[] | null }[];
  }[];
  links: [number, number, number, number, number, string][];
}

/** The first workflow over and over: 1,001 nodes and 1,287 links. */
function thousand(): Buffer {
  const path = join(WEB, "workflows/text_to_image.json");
  const base = JSON.parse(readFileSync(path, "utf8")) as Saved;
  const nodes: Saved["nodes"] = [];
  const links: Saved["links"] = [];
  for (let copy = 0; copy < COPIES; copy += 1) {
    const first = nodes.length;
    const renamed = new Map<number, number>();
    for (const [id, from, fromSlot, to, toSlot, type] of base.links) {
      renamed.set(id, links.length + 1);
      links.push([links.length + 1, from + first, fromSlot, to + first, toSlot, type]);
    }
    const again = (link: number | null) => (link === null ? null : (renamed.get(link) ?? null));
    for (const node of structuredClone(base.nodes)) {
      node.id += first;
      node.pos = [node.pos[0] + (copy % 12) * 1350, node.pos[1] + Math.floor(copy / 12) * 700];
      for (const input of node.inputs ?? []) input.link = again(input.link);
      for (const output of node.outputs ?? []) {
        output.links = output.links?.flatMap((link) => again(link) ?? []) ?? null;
      }
      nodes.push(node);
    }
  }
  return Buffer.from(JSON.stringify({ nodes, links, version: 0.4 }));
}

function median(values: number[]): number {
  return values.sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Milliseconds from navigation until a prompt can be typed. */
async function timeToEditable(studio: Studio): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < REPEATS; round += 1) {
    const page = await openPage(studio);
    await page.addInitScript(() => {
      const look = () => {
        if (document.querySelector(".card textarea") === null) requestAnimationFrame(look);
        else performance.mark("editable");
      };
      requestAnimationFrame(look);
    });
    await page.evaluate(() => localStorage.clear());
    await page.reload();
    await page.waitForFunction(() => performance.getEntriesByName("editable").length > 0);
    times.push(
      await page.evaluate(() => performance.getEntriesByName("editable")[0]?.startTime ?? 0),
    );
    await page.context().close();
  }
  return median(times);
}

/** Milliseconds from dropping the file until its overview was on the screen. */
function timeToDrop(page: Page): Promise<number> {
  return page.evaluate(async (text) => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], "1001.json", { type: "application/json" }));
    const begun = performance.now();
    const drop = new DragEvent("drop", { dataTransfer: transfer, bubbles: true });
    document.querySelector(".canvas")?.dispatchEvent(drop);
    while (document.querySelector(".overview") === null) await frame();
    await frame();
    await frame();
    return performance.now() - begun;
  }, thousand().toString());
}

/** Frame times while the canvas is dragged: [median, 95th percentile], in milliseconds. */
async function pan(page: Page): Promise<[number, number]> {
  await page.evaluate(() => {
    const frames: number[] = [];
    let last = performance.now();
    const tick = (now: number) => {
      frames.push(now - last);
      last = now;
      (window as unknown as { frames: number[] }).frames = frames;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  await page.mouse.move(700, 250);
  await page.mouse.down({ button: "middle" });
  for (let step = 0; step < EVENTS; step += 1) {
    await page.mouse.move(700 - step * 9, 250 + step * 3);
  }
  await page.mouse.up({ button: "middle" });
  const frames = await page.evaluate(() => (window as unknown as { frames: number[] }).frames);
  const sorted = frames.slice(1).sort((one, other) => one - other);
  return [median(sorted), sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN];
}

function gzipped(): number {
  const assets = join(WEB, "dist/assets");
  const scripts = readdirSync(assets).filter((name) => name.endsWith(".js"));
  return scripts.reduce((sum, name) => sum + gzipSync(readFileSync(join(assets, name))).length, 0);
}

const lines: [string, string][] = [["JavaScript, gzipped", `${(gzipped() / 1000).toFixed(0)} kB`]];
const studio = await startStudio();
try {
  lines.push(["navigation to editable", `${(await timeToEditable(studio)).toFixed(0)} ms`]);
  const page = await openPage(studio);
  lines.push(["1,001 nodes dropped to drawn", `${(await timeToDrop(page)).toFixed(0)} ms`]);
  const far = await pan(page);
  lines.push(["pan, all nodes: frame p50, p95", far.map((each) => each.toFixed(0)).join(", ")]);
  await page.mouse.move(520, 330);
  for (let step = 0; step < 9; step += 1) {
    await page.mouse.wheel(0, -240);
    await page.waitForTimeout(80);
  }
  await page.locator(".card").first().waitFor();
  const near = await pan(page);
  lines.push(["pan, working zoom: frame p50, p95", near.map((each) => each.toFixed(0)).join(", ")]);
  const elements = await page.evaluate(() => document.querySelectorAll("*").length);
  lines.push(["elements in the page", String(elements)]);
} finally {
  await studio.close();
}
process.stdout.write(`${lines.map(([name, value]) => `${name.padEnd(36)}${value}`).join("\n")}\n`);
