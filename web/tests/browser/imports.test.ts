/** Workflows from files of other programs and in other formats. */
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { dropFile, openPage, type Studio, startStudio } from "./studio";

let studio: Studio;
let page: Page;

beforeAll(async () => {
  studio = await startStudio();
});
afterAll(() => studio?.close());
beforeEach(async () => {
  page = await openPage(studio);
});
afterEach(() => page.context().close());

const node = (title: string) => page.getByRole("group", { name: title, exact: true });

/** A WebP with one EXIF chunk, whose first directory has these texts. */
function webp(entries: readonly [number, string][]): Buffer {
  const number = (value: number, size: 2 | 4) => {
    const bytes = Buffer.alloc(size);
    bytes.writeUIntLE(value, 0, size);
    return bytes;
  };
  const texts = entries.map(([, text]) => Buffer.from(`${text}\0`));
  let at = 8 + 2 + entries.length * 12 + 4;
  const heads = entries.map(([tag], index) => {
    const length = texts[index]?.length ?? 0;
    at += length;
    return Buffer.concat([number(tag, 2), number(2, 2), number(length, 4), number(at - length, 4)]);
  });
  const start = Buffer.concat([Buffer.from("II*\0"), number(8, 4), number(entries.length, 2)]);
  const exif = Buffer.concat([start, ...heads, number(0, 4), ...texts]);
  const body = Buffer.concat([Buffer.from("WEBPEXIF"), number(exif.length, 4), exif]);
  return Buffer.concat([Buffer.from("RIFF"), number(body.length, 4), body]);
}

test("a dropped WebP opens as the workflow that made it", async () => {
  const path = resolve(import.meta.dirname, "../../workflows/image_to_image.json");
  const workflow = JSON.stringify(JSON.parse(readFileSync(path, "utf8")));
  const content = webp([[0x10f, `workflow:${workflow}`]]);
  await dropFile(page, { name: "of old.webp", type: "image/webp", content });
  await page.getByRole("tab", { name: "of old" }).waitFor();
  await node("VAE Encode").waitFor();
});

test("the text of another program becomes a graph that can run, and what is left out is said", async () => {
  const text = `a red (fox:1.2) in the snow
Negative prompt: blurry
Steps: 3, Sampler: DPM++ 2M Karras, CFG scale: 4.5, Seed: 11, Size: 96x64, Model: calotype-demo, Variation seed: 3, Version: v1.10`;
  const chunk = Buffer.concat([Buffer.from("tEXtparameters\0"), Buffer.from(text, "latin1")]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(chunk.length - 4);
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  const content = Buffer.concat([signature, length, chunk, Buffer.alloc(4)]);
  await dropFile(page, { name: "fox.png", type: "image/png", content });
  await page.getByRole("tab", { name: "fox" }).waitFor();
  await page
    .getByRole("status")
    .getByText(/made from the text in fox\.png\. Left out: Variation seed/)
    .waitFor();
  const sampler = node("KSampler");
  await sampler.waitFor();
  const number = (name: string) =>
    sampler.getByRole("spinbutton", { name, exact: true }).getAttribute("aria-valuetext");
  expect([await number("steps"), await number("seed")]).toEqual(["3", "11"]);
  await page
    .getByRole("region", { name: "Run" })
    .getByText(/of \d nodes will run|\d nodes will run/)
    .waitFor();
});

test("a film without a workflow is told of", async () => {
  const content = Buffer.concat([Buffer.from([0, 0, 0, 12]), Buffer.from("ftypisom")]);
  await dropFile(page, { name: "plain.mp4", type: "video/mp4", content });
  await page.getByRole("alert").getByText("plain.mp4 contains no workflow.").waitFor();
  expect(await page.locator(".card").count()).toBeGreaterThan(1);
});

test("a result is reproduced with its values, and what differs now is said", async () => {
  const put = (colour: string) =>
    page.evaluate(async (fill) => {
      const canvas = new OffscreenCanvas(16, 16);
      const context = canvas.getContext("2d");
      if (context === null) throw new Error("no canvas");
      context.fillStyle = fill;
      context.fillRect(0, 0, 16, 16);
      const form = new FormData();
      form.set("image", await canvas.convertToBlob(), "scene.png");
      form.set("overwrite", "true");
      const response = await fetch("/upload/image", { method: "POST", body: form });
      if (!response.ok) throw new Error(await response.text());
    }, colour);
  await put("red");
  const graph = {
    1: { class_type: "LoadImage", inputs: { image: "scene.png" } },
    2: { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "scene" } },
  };
  const content = Buffer.from(JSON.stringify(graph));
  await dropFile(page, { name: "scene.json", type: "application/json", content });
  await page.getByRole("tab", { name: "scene" }).waitFor();
  await page.keyboard.press("Control+Enter");
  const made = page.locator(".results .thumb.completed").first();
  await made.waitFor({ timeout: 60_000 });
  await put("blue");
  await made.click();
  const box = page.getByRole("dialog", { name: "A result in full size" });
  await box.getByRole("button", { name: "Reproduce" }).click();
  await page.getByRole("tab", { name: /^From / }).waitFor();
  const notice = page.getByRole("status").getByText(/What differs now/);
  await notice.waitFor();
  expect(await notice.textContent()).toContain("input/scene.png is another file than it was");
});

test("a file saved while the setting is off carries no workflow", async () => {
  const texts = async () => {
    const saved = await page.evaluate(async () => {
      const { jobs } = await (await fetch("/api/jobs?status=completed&limit=1")).json();
      const job = await (await fetch(`/api/jobs/${jobs[0].id}`)).json();
      const outputs: { images?: { filename: string }[] }[] = Object.values(job.outputs);
      const name = outputs.flatMap((each) => each.images ?? [])[0]?.filename;
      return (await fetch(`/view?filename=${name}&type=output`)).text();
    });
    return ["tEXtprompt", "tEXtworkflow", "tEXtcalotype"].filter((each) => saved.includes(each));
  };
  const run = async (colour: number) => {
    const inputs = { width: 8, height: 8, batch_size: 1, color: colour };
    const graph = {
      1: { class_type: "EmptyImage", inputs },
      2: { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "plain" } },
    };
    const content = Buffer.from(JSON.stringify(graph));
    const count = () => page.locator(".results .thumb.completed").count();
    const before = await count();
    await dropFile(page, { name: `plain${colour}.json`, type: "application/json", content });
    await page.getByRole("tab", { name: `plain${colour}` }).waitFor();
    await page.keyboard.press("Control+Enter");
    await expect.poll(count, { timeout: 60_000 }).toBe(before + 1);
    return texts();
  };
  expect(await run(1)).toEqual(["tEXtprompt", "tEXtworkflow", "tEXtcalotype"]);
  await page.keyboard.press("Control+,");
  await page.getByLabel("Workflow in saved files", { exact: true }).uncheck();
  await page.keyboard.press("Escape");
  expect(await run(2)).toEqual([]);
});
