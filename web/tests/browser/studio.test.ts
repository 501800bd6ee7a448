/** The first minutes with the editor in a real browser: run, edit, undo, save, open. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { linksOf } from "./links";
import { dropFile, type Studio } from "./studio";

let studio: Studio;
let page: Page;

eachPage((opened, on) => {
  page = opened;
  studio = on;
});

const node = (title: string) => page.getByRole("group", { name: title, exact: true });
const number = (title: string, name: string) =>
  node(title).getByRole("spinbutton", { name, exact: true });

async function setNumber(title: string, name: string, value: string): Promise<void> {
  await number(title, name).click();
  const typing = node(title).getByRole("textbox", { name, exact: true });
  await typing.fill(value);
  await typing.press("Enter");
}

async function drag(from: Locator, to: Locator | { x: number; y: number }): Promise<void> {
  const middle = async (each: Locator) => {
    const box = await each.boundingBox();
    if (box === null) throw new Error("it is not on the screen");
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  };
  const start = await middle(from);
  const end = "x" in to ? to : await middle(to);
  await page.mouse.move(start.x, start.y);
  await page.mouse.down();
  await page.mouse.move((start.x + end.x) / 2, (start.y + end.y) / 2, { steps: 4 });
  await page.mouse.move(end.x, end.y, { steps: 4 });
}

async function emptyPlace(): Promise<{ x: number; y: number }> {
  const box = await page.locator(".canvas").boundingBox();
  return { x: (box?.x ?? 0) + 60, y: (box?.y ?? 0) + 60 };
}

test("the first workflow opens, with its values", async () => {
  expect(await page.locator(".card").count()).toBe(7);
  expect(await page.getByRole("tab", { name: "Text to image" }).count()).toBe(1);
  await expect.poll(() => number("KSampler", "steps").getAttribute("aria-valuetext")).toBe("24");
});

test("a run shows its picture on the node and in the dock; the picture brings its workflow", async () => {
  await setNumber("Empty Latent Image", "width", "64");
  await setNumber("Empty Latent Image", "height", "64");
  await setNumber("KSampler", "steps", "2");
  await page.keyboard.press("Control+Enter");
  const picture = node("Picture").locator(".picture img");
  await picture.waitFor({ timeout: 110_000 });
  await expect
    .poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth))
    .toBe(64);
  await page.locator(".results .thumb img").first().waitFor();
  await page.reload();
  await picture.waitFor();

  const address = await picture.getAttribute("src");
  // The card shows a thumbnail; the file itself is at the address without its size.
  const whole = new URL(address ?? "", studio.address);
  whole.searchParams.delete("preview");
  const answer = await page.request.get(whole.href);
  await dropFile(page, { name: "picture.png", type: "image/png", content: await answer.body() });
  await page.getByRole("tab", { name: "picture" }).waitFor();
  await expect.poll(() => number("KSampler", "steps").getAttribute("aria-valuetext")).toBe("2");
});

test("what was changed is undone and redone", async () => {
  await setNumber("KSampler", "cfg", "5.5");
  await node("KSampler").locator(".card-title").click();
  await page.keyboard.press("Delete");
  await expect.poll(() => page.locator(".card").count()).toBe(6);
  await page.keyboard.press("Control+z");
  await expect.poll(() => page.locator(".card").count()).toBe(7);
  expect(await page.locator(".react-flow__edge").count()).toBe(9);
  expect(await number("KSampler", "cfg").getAttribute("aria-valuetext")).toBe("5.5");
  await page.keyboard.press("Control+z");
  await expect.poll(() => number("KSampler", "cfg").getAttribute("aria-valuetext")).toBe("4.0");
  await page.keyboard.press("Control+Shift+z");
  await expect.poll(() => number("KSampler", "cfg").getAttribute("aria-valuetext")).toBe("5.5");
});

test("the work survives a reload", async () => {
  await node("Prompt").getByRole("textbox").fill("a lighthouse at night");
  await setNumber("KSampler", "seed", "18446744073709551615");
  await page.reload();
  await expect
    .poll(() => node("Prompt").getByRole("textbox").inputValue())
    .toBe("a lighthouse at night");
  expect(await number("KSampler", "seed").getAttribute("aria-valuetext")).toBe(
    "18446744073709551615",
  );
});

test("a wire that does not fit says why, and offers what goes between", async () => {
  const latent = node("KSampler").locator(".react-flow__handle.source");
  const images = node("Picture").locator(".react-flow__handle.target").first();
  await drag(latent, images);
  await page.getByText("images takes IMAGE, not LATENT.").waitFor();
  await page.mouse.up();
  await page.getByRole("button", { name: /Insert VAE Decode between/ }).click();
  await expect.poll(() => page.locator(".card").count()).toBe(8);
  // The new node's other input is connected to the only node that fits, and the wire to the picture
  // is replaced.
  await expect.poll(() => page.locator(".react-flow__edge").count()).toBe(11);
});

test("a wire pulled into nothing offers the nodes that fit, joined", async () => {
  const latent = node("KSampler").locator(".react-flow__handle.source");
  await drag(latent, await emptyPlace());
  await page.mouse.up();
  const palette = page.getByRole("dialog", { name: "Add a node" });
  expect(await palette.getByRole("option", { name: /Save Image/ }).count()).toBe(0);
  await page.keyboard.type("latent by");
  await page.keyboard.press("Enter");
  await node("Upscale Latent By").waitFor();
  await expect.poll(() => page.locator(".react-flow__edge").count()).toBe(10);
});

test("a node is added by typing its name, copied and pasted", async () => {
  await page.locator(".react-flow__pane").click({ position: { x: 60, y: 60 } });
  await page.keyboard.press("Tab");
  await page.keyboard.type("load image");
  await page.keyboard.press("Enter");
  await node("Load Image").waitFor();
  await page.keyboard.press("Control+c");
  await page.keyboard.press("Control+v");
  await expect.poll(() => node("Load Image").count()).toBe(2);
});

test("a node is made larger by its corner, and its text with it", async () => {
  const text = node("Prompt").getByRole("textbox");
  const before = (await text.boundingBox())?.height ?? 0;
  const corner = await node("Prompt").locator(".corner").boundingBox();
  if (corner === null) throw new Error("the node has no corner");
  await page.mouse.move(corner.x + 6, corner.y + 6);
  await page.mouse.down();
  await page.mouse.move(corner.x + 60, corner.y + 70, { steps: 5 });
  await page.mouse.up();
  await expect
    .poll(async () => (await text.boundingBox())?.height ?? 0)
    .toBeGreaterThan(before + 40);
  await page.keyboard.press("Control+z");
  await expect.poll(async () => (await text.boundingBox())?.height ?? 0).toBeCloseTo(before, 0);
});

test("what is wrong is said on the node before a run", async () => {
  const before = await linksOf(page);
  const model = node("KSampler").locator('.react-flow__handle.target[data-handleid="model"]');
  await drag(model, await emptyPlace());
  await page.mouse.up();
  // The wire is removed, without a palette.
  expect(await page.getByRole("dialog", { name: "Add a node" }).count()).toBe(0);
  expect(await linksOf(page)).toEqual(before.filter((each) => !each.endsWith("KSampler.model")));
  await node("KSampler").locator(".problem").waitFor();
  await page.getByRole("tab", { name: /Problems/ }).click();
  await page.locator(".problem-groups").getByText(/model/i).first().waitFor();
});

test("a dropped workflow opens in a tab of its own", async () => {
  const path = resolve(import.meta.dirname, "../../workflows/image_to_image.json");
  const content = readFileSync(path);
  await dropFile(page, { name: "image_to_image.json", type: "application/json", content });
  await page.getByRole("tab", { name: "image_to_image" }).waitFor();
  expect(await page.getByRole("tab", { name: "Text to image" }).count()).toBe(1);
  await expect.poll(() => node("KSampler").count()).toBe(2);
});

test("stop ends a run within a step", async () => {
  await setNumber("KSampler", "steps", "1000");
  await page.keyboard.press("Control+Enter");
  await node("KSampler").locator(".mark").waitFor({ timeout: 60_000 });
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await page.getByRole("button", { name: "Stop", exact: true }).waitFor({ state: "detached" });
  await page
    .locator(".results .thumb.cancelled")
    .first()
    .getByText(/^Stopped/)
    .waitFor();
});

test("a saved workflow is found again, a result brings its own", async () => {
  const name = `evening ${Date.now()}`;
  await node("Prompt").getByRole("textbox").fill("an evening by the sea");
  await page.keyboard.press("Control+s");
  await page.getByRole("dialog").getByRole("textbox", { name: "Name" }).fill(name);
  await page.keyboard.press("Enter");
  await page.getByRole("tab", { name }).waitFor();
  await expect.poll(() => page.locator(".tab.active .dot").count()).toBe(0);
  await page.getByRole("button", { name: `Close ${name}` }).click({ force: true });
  await page.getByRole("button", { name: "Workflows" }).click();
  await page.getByRole("button", { name, exact: true }).click();
  await expect
    .poll(() => node("Prompt").getByRole("textbox").inputValue())
    .toBe("an evening by the sea");

  const made = page.locator(".results .thumb.completed").first();
  await made.hover();
  await made.getByRole("button", { name: "Open its workflow" }).click();
  await page.getByRole("tab", { name: /, seed \d+$/ }).waitFor();
  await expect.poll(() => page.locator(".card").count()).toBe(7);
});

test("a dropped picture without a workflow becomes a node that shows it", async () => {
  const pixel =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  const content = Buffer.from(pixel, "base64");
  await dropFile(page, { name: "pixel.png", type: "image/png", content });
  const picture = node("Load Image").locator("img").first();
  await picture.waitFor({ state: "attached" });
  await expect
    .poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth))
    .toBe(1);
});
