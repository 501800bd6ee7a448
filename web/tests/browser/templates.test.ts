/**
 * Workflows by others in a real browser: all nodes and wires are drawn, and saving loses nothing.
 */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isObject, type Json, type JsonObject, parseJson } from "../../src/document/json";
import { listOf } from "../../src/document/values";
import { areHere, openTemplates, readTemplate, templateFile } from "../templates";
import { dropFile, openPage, type Studio, startStudio } from "./studio";

const SAMPLED = 12;
let studio: Studio;
let page: Page;

interface Counts {
  nodes: number;
  wires: number;
}

function levelsOf(file: Json): JsonObject[] {
  if (!isObject(file)) return [];
  const inner = isObject(file.definitions) ? listOf(file.definitions.subgraphs) : [];
  return [file, ...inner.filter(isObject)];
}

/** Whether a file has instances of subgraphs inside subgraphs. */
function nested(file: Json): boolean {
  const [, ...inner] = levelsOf(file);
  const ids = new Set(inner.map((each) => each.id));
  return inner.some((each) =>
    listOf(each.nodes).some((node) => isObject(node) && ids.has(node.type)),
  );
}

/** The largest files, and some with nested subgraphs. */
function sample(): string[] {
  const size = (name: string) =>
    levelsOf(readTemplate(name)).reduce((sum, each) => sum + listOf(each.nodes).length, 0);
  const sized = openTemplates.map((name) => ({ name, size: size(name) }));
  const largest = sized.sort((one, other) => other.size - one.size).map(({ name }) => name);
  const within = largest.filter((name) => nested(readTemplate(name)));
  return [...new Set([...largest.slice(0, 6), ...within.slice(0, 4), ...largest])].slice(
    0,
    SAMPLED,
  );
}

/** The visible parts of a level; wires to missing nodes cannot be drawn. */
function countsOf(level: JsonObject, inside: boolean): Counts {
  const nodes = listOf(level.nodes).filter(isObject);
  const ids = new Set([...nodes.map((each) => String(each.id)), ...(inside ? ["-10", "-20"] : [])]);
  const ends = (link: Json) =>
    Array.isArray(link)
      ? [link[1], link[3]]
      : isObject(link)
        ? [link.origin_id, link.target_id]
        : [];
  const wires = listOf(level.links).filter((link) => {
    const [from, to] = ends(link).map(String);
    return ids.has(from ?? "") && ids.has(to ?? "");
  });
  return { nodes: nodes.length + (inside ? 2 : 0), wires: wires.length };
}

/** Zooms out until everything is painted at once, and counts it. */
async function drawn(): Promise<Counts> {
  const overview = page.locator(".overview");
  const nearer = page.locator(".canvas");
  const box = await nearer.boundingBox();
  await page.mouse.move((box?.x ?? 0) + 400, (box?.y ?? 0) + 300);
  await expect
    .poll(
      async () => {
        if ((await overview.count()) > 0) return true;
        await page.keyboard.press("Alt+Minus");
        return false;
      },
      { timeout: 20_000 },
    )
    .toBe(true);
  const count = async (name: string) => Number(await overview.getAttribute(`data-${name}`));
  return { nodes: await count("nodes"), wires: await count("wires") };
}

describe.skipIf(!areHere)("workflows of others", () => {
  beforeAll(async () => {
    studio = await startStudio();
  });
  afterAll(() => studio?.close());
  beforeEach(async () => {
    page = await openPage(studio);
  });
  afterEach(() => page.context().close());

  test.each(areHere ? sample() : [])(
    "%s shows all it holds, and is saved as it was",
    async (name) => {
      const file = readTemplate(name);
      const [root, ...inner] = levelsOf(file);
      if (root === undefined) throw new Error(`${name} is no workflow.`);
      const content = readFileSync(templateFile(name));
      await dropFile(page, { name: `${name}.json`, type: "application/json", content });
      await page.getByRole("tab", { name }).waitFor();
      await expect.poll(drawn).toEqual(countsOf(root, false));

      const ids = new Map(inner.map((each) => [each.id, each]));
      const instance = listOf(root.nodes).find((each) => isObject(each) && ids.has(each.type));
      const definition = isObject(instance) ? ids.get(instance.type) : undefined;
      if (isObject(instance) && definition !== undefined) {
        await page.keyboard.press("Alt+Equal");
        await page.locator(`.outline li button`).first().waitFor();
        await page.locator(`.outline [data-key="${String(instance.id)}"]`).click();
        await page.locator(".canvas").focus();
        await page.keyboard.press("Alt+ArrowDown");
        await page.getByRole("navigation", { name: "Breadcrumb" }).waitFor();
        await expect.poll(drawn).toEqual(countsOf(definition, true));
      }

      await page.locator(".canvas").focus();
      await page.keyboard.press("Control+s");
      await page.getByRole("dialog").getByRole("textbox", { name: "Name" }).fill(name);
      await page.keyboard.press("Enter");
      const path = encodeURIComponent(`workflows/${name}.json`);
      const saved = async () => {
        const answer = await page.request.get(`${studio.address}/userdata/${path}`);
        return answer.ok() ? parseJson(await answer.text()) : null;
      };
      await expect.poll(saved).toEqual(file);
    },
  );
});
