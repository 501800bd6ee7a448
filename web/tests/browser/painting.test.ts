/** Painting on an image and taking pictures with a camera, in a real browser, and what a run gets. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Put, workflowOf } from "./samples";
import { savedFrom } from "./saved";
import { dropFile, openPage, type Studio, startStudio } from "./studio";

let studio: Studio;

beforeAll(async () => {
  studio = await startStudio();
});
afterAll(() => studio?.close());

const card = (page: Page, title: string) => page.getByRole("group", { name: title, exact: true });

async function openNodes(page: Page, ...nodes: Put[]): Promise<void> {
  const content = Buffer.from(JSON.stringify(workflowOf(nodes)));
  await dropFile(page, { name: "drawn.json", type: "application/json", content });
  await page.getByRole("tab", { name: "drawn", selected: true }).last().waitFor();
  await page.locator(".card").first().waitFor();
}

/** The first value of the node of a type, as it would be saved. */
async function firstValue(page: Page, type: string): Promise<unknown> {
  const { nodes } = await savedFrom<{ nodes: { type: string; widgets_values?: unknown[] }[] }>(
    page,
  );
  return nodes.find((each) => each.type === type)?.widgets_values?.[0];
}

/** Red, green, blue and alpha of a file in the input folder, at these places. */
async function pixelsOf(page: Page, value: string, places: [number, number][]) {
  return page.evaluate(
    async ([name, at]) => {
      const answer = await fetch(`/api/view?filename=${encodeURIComponent(name)}&type=input`);
      const picture = await createImageBitmap(await answer.blob(), { premultiplyAlpha: "none" });
      const canvas = new OffscreenCanvas(picture.width, picture.height);
      const context = canvas.getContext("2d");
      context?.drawImage(picture, 0, 0);
      const read = at.map(([x, y]) => [...(context?.getImageData(x, y, 1, 1).data ?? [])]);
      return { width: picture.width, height: picture.height, read };
    },
    [value, places] as const,
  );
}

async function screenshot(page: Page, name: string): Promise<void> {
  const folder = process.env.CALOTYPE_SCREENSHOTS;
  if (folder !== undefined) writeFileSync(join(folder, `${name}.png`), await page.screenshot());
}

test("a stroke is painted, taken back, erased, and kept as a file of the node", async () => {
  const page = await openPage(studio);
  await openNodes(page, { type: "Painter", values: ["", 256, 128, "#203040"] });
  const field = card(page, "Painter").getByRole("button", { name: /^mask/ });
  await expect.poll(() => field.textContent()).toContain("Nothing painted yet");
  await field.click();
  const sheet = page.getByRole("application", { name: /^The painting/ });
  await page.getByText("256 x 128 pixels").waitFor();
  const box = await sheet.boundingBox();
  if (box === null) throw new Error("the canvas is not on the screen");
  const at = (x: number, y: number) => ({
    x: box.x + (box.width * x) / 256,
    y: box.y + (box.height * y) / 128,
  });
  const stroke = async (from: [number, number], to: [number, number]) => {
    const [start, end] = [at(...from), at(...to)];
    await page.mouse.move(start.x, start.y);
    await page.mouse.down();
    await page.mouse.move(end.x, end.y, { steps: 8 });
    await page.mouse.up();
  };
  await page.getByLabel("Color", { exact: true }).fill("#ff0000");
  await stroke([40, 64], [200, 64]);
  await stroke([40, 20], [200, 20]);
  await page.getByRole("button", { name: "Undo", exact: true }).last().click();
  await page.getByRole("button", { name: "Eraser", exact: true }).click();
  await stroke([190, 30], [190, 100]);
  await screenshot(page, "painting");
  await page.getByRole("button", { name: "Done", exact: true }).click();
  await expect.poll(() => firstValue(page, "Painter")).toMatch(/^painter-\d+\.png$/);
  await expect.poll(() => field.textContent()).toContain("Painted");
  const value = String(await firstValue(page, "Painter"));
  const { width, height, read } = await pixelsOf(page, value, [
    [100, 64],
    [100, 20],
    [190, 64],
    [5, 120],
  ]);
  expect([width, height]).toEqual([256, 128]);
  expect(read[0]).toEqual([255, 0, 0, 255]);
  expect(read.slice(1).map((each) => each[3])).toEqual([0, 0, 0]);

  // It opens as it was, and goes on by keyboard.
  await field.click();
  await page.getByText("256 x 128 pixels").waitFor();
  await page.keyboard.press("Shift+ArrowLeft");
  await page.keyboard.press("Escape");
  await expect.poll(() => firstValue(page, "Painter")).not.toBe(value);
  const again = await pixelsOf(page, String(await firstValue(page, "Painter")), [
    [50, 64],
    [128, 64],
  ]);
  expect(again.read[0]).toEqual([255, 0, 0, 255]);
  expect(again.read[1]).toEqual([255, 255, 255, 255]);
});

/** A camera that shows a green picture; the first request for it is refused. */
async function giveCamera(page: Page): Promise<void> {
  await page.evaluate(() => {
    let requests = 0;
    navigator.mediaDevices.getUserMedia = () => {
      requests += 1;
      if (requests === 1) return Promise.reject(new DOMException("no", "NotAllowedError"));
      const canvas = document.createElement("canvas");
      canvas.width = 320;
      canvas.height = 240;
      const brush = canvas.getContext("2d");
      const draw = () => {
        if (brush === null) return;
        brush.fillStyle = "#00ff00";
        brush.fillRect(0, 0, 320, 240);
        requestAnimationFrame(draw);
      };
      draw();
      return Promise.resolve(canvas.captureStream());
    };
  });
}

test("a camera that may not be used says why; one that may takes a picture", async () => {
  const page = await openPage(studio);
  await giveCamera(page);
  await openNodes(page, { type: "WebcamCapture", values: ["", 0, 0, false] });
  const field = card(page, "Webcam Capture").getByRole("button", { name: /^image/ });
  await field.click();
  await page.getByRole("alert").getByText("The camera was not allowed").waitFor();
  await screenshot(page, "camera-refused");
  await page.getByRole("button", { name: "Try again", exact: true }).click();
  const take = page.getByRole("button", { name: "Take the picture" });
  await expect.poll(() => take.isEnabled()).toBe(true);
  await screenshot(page, "camera");
  await take.click();
  await expect.poll(() => firstValue(page, "WebcamCapture")).toMatch(/^webcam-\d+\.png$/);
  const value = String(await firstValue(page, "WebcamCapture"));
  const { width, height, read } = await pixelsOf(page, value, [[10, 10]]);
  expect([width, height]).toEqual([320, 240]);
  const [red = 255, green = 0] = read[0] ?? [];
  expect(green - red).toBeGreaterThan(200);
});

test("with capture on queue each run takes a new picture, or says why there is none", async () => {
  const page = await openPage(studio);
  await giveCamera(page);
  await openNodes(page, { type: "WebcamCapture", values: ["", 64, 48, true] });
  await page.keyboard.press("Control+Enter");
  await page.getByText("The camera was not allowed").first().waitFor();
  expect(await firstValue(page, "WebcamCapture")).toBe("");
  const take = async (before: unknown) => {
    await page.keyboard.press("Control+Enter");
    await expect.poll(() => firstValue(page, "WebcamCapture")).not.toBe(before);
    return firstValue(page, "WebcamCapture");
  };
  const first = await take("");
  expect(first).toMatch(/^webcam-\d+\.png$/);
  expect(await take(first)).toMatch(/^webcam-\d+\.png$/);
});
