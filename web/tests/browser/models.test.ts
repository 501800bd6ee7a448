/** Models in three dimensions: shown, turned, drawn for a run, and looked at in full size. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import { cubeFile } from "./cube";
import { dropFile, openPage, type Studio, startStudio } from "./studio";

const WORKFLOW = {
  nodes: [
    {
      id: 1,
      type: "Load3D",
      pos: [0, 0],
      size: [340, 420],
      inputs: [],
      outputs: [
        { name: "image", type: "IMAGE", links: [1] },
        { name: "mask", type: "MASK", links: [] },
        { name: "mesh_path", type: "STRING", links: [] },
        { name: "normal", type: "IMAGE", links: [2] },
        { name: "camera_info", type: "LOAD3D_CAMERA", links: [] },
        { name: "recording_video", type: "VIDEO", links: [] },
        { name: "model_3d", type: "FILE_3D", links: [3] },
      ],
      // As the incumbent saves it.
      widgets_values: ["3d/cube.glb", "upload3dmodel", "uploadExtraResources", "clear", "", 96, 64],
    },
    ...[
      { id: 2, slot: "images", link: 1, kind: "IMAGE", values: ["colour"] },
      { id: 3, slot: "images", link: 2, kind: "IMAGE", values: ["normal"] },
    ].map(({ id, slot, link, kind, values }) => ({
      id,
      type: "SaveImage",
      pos: [420, (id - 2) * 340],
      size: [240, 300],
      inputs: [{ name: slot, type: kind, link }],
      outputs: [],
      widgets_values: values,
    })),
    {
      id: 4,
      type: "SaveGLB",
      pos: [700, 0],
      size: [300, 340],
      inputs: [{ name: "mesh", type: "FILE_3D", link: 3 }],
      outputs: [],
      widgets_values: ["3d/again", ""],
    },
  ],
  links: [
    [1, 1, 0, 2, 0, "IMAGE"],
    [2, 1, 3, 3, 0, "IMAGE"],
    [3, 1, 6, 4, 0, "FILE_3D"],
  ],
  version: 0.4,
};

/** A picture of the screen takes seconds where the processor computes the graphics. */
const PATIENT = { timeout: 60_000 };

let studio: Studio;
let page: Page;

beforeAll(async () => {
  studio = await startStudio([], undefined, "seven nodes", true);
  const form = new FormData();
  form.append("image", new File([cubeFile()], "cube.glb"));
  form.append("subfolder", "3d");
  form.append("overwrite", "true");
  const stored = await fetch(`${studio.address}/upload/image`, { method: "POST", body: form });
  expect(stored.status).toBe(200);
  page = await openPage(studio);
  const content = Buffer.from(JSON.stringify(WORKFLOW));
  await dropFile(page, { name: "cube.json", type: "application/json", content });
  await page.getByRole("tab", { name: "cube" }).waitFor();
});

afterAll(() => studio?.close());

const view = (id: number) => page.locator(`.react-flow__node[data-id="${id}"] .model-view`);

/** The share of a view's pixels that are not its background, and how red they are on average. */
async function seen(id: number) {
  // Of the canvas itself: pictures of the screen take seconds here.
  const png = await view(id)
    .locator("canvas")
    .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
  return page.evaluate(measured, png.slice(png.indexOf(",") + 1));
}

async function measured(base64: string): Promise<{ share: number; red: number }> {
  const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes]));
  const { width, height } = picture;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  if (context === null) throw new Error("no canvas");
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  let [count, red] = [0, 0];
  for (let at = 0; at < data.length; at += 4) {
    const [r = 0, g = 0, b = 0] = [data[at], data[at + 1], data[at + 2]];
    if (Math.abs(r - 0x28) + Math.abs(g - 0x28) + Math.abs(b - 0x28) < 24) continue;
    count += 1;
    red += r - (g + b) / 2;
  }
  return { share: count / (width * height), red: red / Math.max(count, 1) };
}

async function brightest(shown: Element): Promise<number> {
  const picture = shown as HTMLImageElement;
  await picture.decode();
  const { naturalWidth: width, naturalHeight: height } = picture;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  if (context === null) throw new Error("no canvas");
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  return data.reduce((most, each, at) => (at % 4 === 3 ? most : Math.max(most, each)), 0);
}

test("a model is shown on its node and turned with the pointer", async () => {
  await view(1).getByText("12 triangles").waitFor();
  const before = await seen(1);
  expect(before.share).toBeGreaterThan(0.1);
  expect(before.share).toBeLessThan(0.8);
  const at = await view(1).locator("canvas").boundingBox();
  if (at === null) throw new Error("The canvas has no place.");
  const [x, y] = [at.x + at.width / 2, at.y + at.height / 2];
  // The front is red, the right side green.
  await page.mouse.move(x, y);
  await page.mouse.down();
  for (let step = 1; step <= 10; step += 1) await page.mouse.move(x - step * 9, y);
  await page.mouse.up();
  await expect
    .poll(async () => Math.abs((await seen(1)).red - before.red), PATIENT)
    .toBeGreaterThan(15);
  // The node itself has not moved, and the view is part of the document.
  expect((await view(1).locator("canvas").boundingBox())?.x).toBe(at.x);
});

test("a run takes pictures as the view shows it", async () => {
  const sent = page.waitForRequest((each) => each.url().endsWith("/api/prompt"));
  await page.getByRole("button", { name: /^Run/ }).first().click();
  const { prompt } = (await sent).postDataJSON();
  const given = prompt["1"].inputs.image;
  expect(given.image).toMatch(/^load3d_image_[0-9a-f]+\.png \[temp\]$/);
  expect(given.mask).toMatch(/^load3d_mask_/);
  expect(given.normal).toMatch(/^load3d_normal_/);
  expect(given.camera_info.cameraType).toBe("perspective");
  const saved = page.locator('.react-flow__node[data-id="2"] img');
  await saved.waitFor();
  await expect.poll(() => saved.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBe(96);
  // The two sides that are seen have directions, and so another colour than the black behind them.
  const normal = page.locator('.react-flow__node[data-id="3"] img');
  expect(await normal.evaluate(brightest)).toBeGreaterThan(150);
  await view(4).getByText("12 triangles").waitFor();
  expect((await seen(4)).share).toBeGreaterThan(0.05);
});

test("shading, background and the way back", async () => {
  const before = await seen(4);
  await view(4).getByLabel("Shading").selectOption("wireframe");
  await expect.poll(async () => (await seen(4)).share, PATIENT).toBeLessThan(before.share * 0.7);
  // White surfaces, with black lines on their edges.
  await view(4).getByLabel("Shading").selectOption("lineart");
  await expect.poll(async () => Math.abs((await seen(4)).red), PATIENT).toBeLessThan(1);
  expect((await seen(4)).share).toBeGreaterThan(before.share * 0.9);
  await view(4).getByLabel("Shading").selectOption("original");
  await view(4).locator("canvas").focus();
  for (let presses = 0; presses < 6; presses += 1) await page.keyboard.press("+");
  await expect.poll(async () => (await seen(4)).share, PATIENT).toBeGreaterThan(before.share * 1.3);
  await view(4).getByRole("button", { name: "Show all of it" }).click();
  await expect
    .poll(async () => Math.abs((await seen(4)).share - before.share), PATIENT)
    .toBeLessThan(0.02);
});

test("a saved model opens in full size", async () => {
  await view(4).getByRole("button", { name: "View at full size" }).click();
  const large = page.locator(".lightbox .model-view");
  await large.getByText("12 triangles").waitFor();
  const box = await large.locator("canvas").boundingBox();
  expect(box?.width).toBeGreaterThan(600);
  expect(await violations(page, "a model in full size")).toEqual([]);
  await page.keyboard.press("Escape");
});

test("an animation is played, stopped, and its moment becomes part of the view", async () => {
  await page.route(
    /\/view\?.*cube\.glb/,
    (route) => route.fulfill({ body: Buffer.from(cubeFile(true)) }),
    { times: 1 },
  );
  await page.reload();
  const time = view(1).getByRole("slider", { name: "Time" });
  await time.waitFor(PATIENT);
  const before = (await seen(1)).share;
  await view(1).getByRole("button", { name: "Play" }).click();
  await expect.poll(async () => Number(await time.inputValue()), PATIENT).toBeGreaterThan(0);
  await view(1).getByRole("button", { name: "Pause" }).click();
  const stopped = await time.inputValue();
  await page.waitForTimeout(200);
  expect(await time.inputValue()).toBe(stopped);
  await time.focus();
  await page.keyboard.press("End");
  await expect.poll(async () => (await seen(1)).share, PATIENT).toBeLessThan(before / 2);
});

test("a damaged file says that it cannot be shown", async () => {
  await page.route(/\/view\?.*cube\.glb/, (route) => route.fulfill({ body: "glTF" }));
  await page.reload();
  await view(1).getByText("cube.glb cannot be shown.").waitFor(PATIENT);
});
