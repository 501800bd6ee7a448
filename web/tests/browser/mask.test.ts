/** Painting a mask on a picture in a real browser, by pointer and by keys. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { plainPicture } from "../bench/plainPicture";
import { dropFile, openPage, type Studio, startStudio } from "./studio";

let studio: Studio;

beforeAll(async () => {
  studio = await startStudio();
});
afterAll(() => studio?.close());

/** A picture with two colours, left and right, like a file that a user would drop. */
async function halves(page: Page): Promise<Buffer> {
  const bytes = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(96, 64);
    const brush = canvas.getContext("2d");
    if (brush === null) throw new Error("no canvas");
    brush.fillStyle = "#3060c0";
    brush.fillRect(0, 0, 96, 64);
    brush.fillStyle = "#c06030";
    brush.fillRect(0, 0, 48, 64);
    const blob = await canvas.convertToBlob({ type: "image/png" });
    return [...new Uint8Array(await blob.arrayBuffer())];
  });
  return Buffer.from(bytes);
}

test("a mask is painted by pointer and by keys, kept, and read by the node", async () => {
  const page = await openPage(studio);
  const picture = await halves(page);
  await dropFile(page, { name: "halves.png", type: "image/png", content: picture });
  const loader = page.getByRole("group", { name: "Load Image", exact: true });
  await loader.waitFor();
  const open = async () => {
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Name of a command" }).fill("edit the mask");
    await page.keyboard.press("Enter");
    await page.getByText(/96 x 64 pixels/).waitFor();
  };
  const masked = async () => {
    const text = await page.locator(".mask-state").textContent();
    return Number(/([\d.]+)\s*% masked/.exec(text ?? "")?.[1]);
  };

  await open();
  expect(await masked()).toBe(0);
  const stage = page.getByRole("application", { name: /^The image/ });
  const box = await stage.boundingBox();
  if (box === null) throw new Error("the picture is not on the screen");
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  await page.mouse.move(middle.x - 60, middle.y);
  await page.mouse.down();
  await page.mouse.move(middle.x + 60, middle.y, { steps: 5 });
  await page.mouse.up();
  expect(await masked()).toBeGreaterThan(0);

  await page.getByRole("button", { name: "Undo", exact: true }).last().click();
  await expect.poll(masked).toBe(0);
  await page.getByRole("radio", { name: "Fill similar colours" }).check();
  await page.mouse.click(middle.x - 40, middle.y);
  await expect.poll(masked).toBe(50);
  await stage.focus();
  await page.keyboard.press("i");
  await page.keyboard.press("e");
  for (let step = 0; step < 6; step += 1) await page.keyboard.press("]");
  await page.keyboard.press("Enter");
  await expect.poll(masked).toBeLessThan(50);
  await page.keyboard.press("Control+z");
  await expect.poll(masked).toBe(50);
  await page.getByRole("button", { name: "Feather", exact: true }).click();
  await page.getByRole("button", { name: "Save the mask" }).click();
  await expect.poll(() => page.getByRole("application", { name: /^The image/ }).count()).toBe(0);

  await expect
    .poll(() => loader.locator("img").first().getAttribute("src"))
    .toMatch(/masked-.*clipspace|clipspace.*masked-/);
  await open();
  await expect.poll(masked).toBeGreaterThan(49);
  expect(await masked()).toBeLessThan(51);
  await page.keyboard.press("Escape");
  await page.context().close();
});

/** Opens the mask editor with a picture of two colours. */
async function openHalves() {
  const page = await openPage(studio, undefined, { hasTouch: true });
  await dropFile(page, { name: "halves.png", type: "image/png", content: await halves(page) });
  await page.getByRole("group", { name: "Load Image", exact: true }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Name of a command" }).fill("edit the mask");
  await page.keyboard.press("Enter");
  await page.getByText(/96 x 64 pixels/).waitFor();
  const state = () => page.locator(".mask-state").textContent();
  const masked = async () => Number(/([\d.]+)\s*% masked/.exec((await state()) ?? "")?.[1]);
  const stage = page.getByRole("application", { name: /^The image/ });
  const box = await stage.boundingBox();
  if (box === null) throw new Error("the picture is not on the screen");
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  return { page, state, masked, middle, below: box.y + box.height + 20 };
}

test("its keys act among its tools, and a stroke may leave the picture", async () => {
  const { page, masked, middle, below } = await openHalves();
  // The picture is focused at once; its keys work in the toolbar as well.
  await page.keyboard.press("i");
  await expect.poll(masked).toBe(100);
  await page.getByRole("button", { name: "Clear", exact: true }).click();
  await expect.poll(masked).toBe(0);
  await page.keyboard.press("Control+z");
  await expect.poll(masked).toBe(100);
  await page.keyboard.press("Control+z");
  await expect.poll(masked).toBe(0);

  // Out over the edge and in again elsewhere, in one stroke.
  await page.mouse.move(middle.x - 100, middle.y);
  await page.mouse.down();
  await page.mouse.move(middle.x - 100, below, { steps: 4 });
  await page.mouse.move(middle.x + 100, below, { steps: 2 });
  await page.mouse.up();
  const down = await masked();
  await page.keyboard.press("Control+z");
  await page.mouse.move(middle.x - 100, middle.y);
  await page.mouse.down();
  await page.mouse.move(middle.x - 100, below, { steps: 4 });
  await page.mouse.move(middle.x + 100, below, { steps: 2 });
  await page.mouse.move(middle.x + 100, middle.y, { steps: 4 });
  await page.mouse.up();
  expect(await masked()).toBeGreaterThan(down);
  await page.keyboard.press("Control+z");
  await expect.poll(masked).toBe(0);

  // Escape takes a stroke back, and the editor stays open.
  await page.mouse.move(middle.x - 60, middle.y);
  await page.mouse.down();
  await page.mouse.move(middle.x + 60, middle.y, { steps: 4 });
  await page.keyboard.press("Escape");
  await page.mouse.up();
  expect(await masked()).toBe(0);
  expect(await page.getByRole("button", { name: "Undo", exact: true }).last().isDisabled()).toBe(
    true,
  );
  await page.context().close();
});

test("Space moves the picture, and a pinch zooms it, without painting", async () => {
  const { page, state, masked, middle } = await openHalves();
  const untouched = await state();
  await page.keyboard.down("Space");
  await page.mouse.move(middle.x, middle.y);
  await page.mouse.down();
  await page.mouse.move(middle.x + 50, middle.y, { steps: 4 });
  await page.mouse.up();
  await page.keyboard.up("Space");
  expect(await state()).toBe(untouched);

  const touch = await page.context().newCDPSession(page);
  const send = (type: "touchStart" | "touchMove" | "touchEnd", apart: readonly number[]) =>
    touch.send("Input.dispatchTouchEvent", {
      type,
      touchPoints: apart.map((each, id) => ({ x: middle.x + each, y: middle.y, id })),
    });
  await send("touchStart", [-20]);
  await send("touchMove", [-24]);
  await send("touchStart", [-24, 20]);
  await send("touchMove", [-60, 60]);
  await send("touchMove", [-90, 90]);
  await send("touchEnd", []);
  await expect.poll(state).not.toBe(untouched);
  expect(await masked()).toBe(0);
  await page.context().close();
});

test("the brush is as large as the picture asks for, then as it was chosen; a failure is not said on", async () => {
  const { page, state, middle } = await openHalves();
  const size = () =>
    page.locator(".mask-slider", { hasText: "Size" }).getByRole("slider").inputValue();
  expect(await size()).toBe("4");
  await page.keyboard.press("]");
  expect(await size()).toBe("6");
  await page.route("**/upload/mask", (route) => route.fulfill({ status: 500, body: "no" }), {
    times: 1,
  });
  await page.mouse.click(middle.x, middle.y);
  await page.getByRole("button", { name: "Save the mask" }).click();
  await expect.poll(state).not.toMatch(/96 x 64 pixels/);
  await page.mouse.click(middle.x + 30, middle.y);
  await expect.poll(state).toMatch(/96 x 64 pixels/);
  await page.getByRole("button", { name: "Save the mask" }).click();
  await page.getByRole("dialog", { name: "Mask" }).waitFor({ state: "detached" });
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Name of a command" }).fill("edit the mask");
  await page.keyboard.press("Enter");
  await page.getByText(/96 x 64 pixels/).waitFor();
  expect(await size()).toBe("6");
  await page.context().close();
});

test("a picture of 4,096 x 4,096 pixels is painted, undone, inverted, filled and saved", async () => {
  const page = await openPage(studio);
  page.setDefaultTimeout(90_000);
  await dropFile(page, { name: "large.png", type: "image/png", content: plainPicture(4096) });
  const loader = page.getByRole("group", { name: "Load Image", exact: true });
  await loader.waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Name of a command" }).fill("edit the mask");
  await page.keyboard.press("Enter");
  await page.getByText(/4096 x 4096 pixels/).waitFor();
  const masked = async () => {
    const text = await page.locator(".mask-state").textContent();
    return Number(/([\d.]+)\s*% masked/.exec(text ?? "")?.[1]);
  };
  const box = await page.getByRole("application", { name: /^The image/ }).boundingBox();
  if (box === null) throw new Error("the picture is not on the screen");
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  await page.mouse.move(middle.x - 100, middle.y);
  await page.mouse.down();
  await page.mouse.move(middle.x + 100, middle.y, { steps: 10 });
  await page.mouse.up();
  const stroke = await masked();
  expect(stroke).toBeGreaterThan(0);
  await page.keyboard.press("Control+z");
  await expect.poll(masked).toBe(0);
  await page.keyboard.press("Control+y");
  await expect.poll(masked).toBe(stroke);
  await page.keyboard.press("i");
  await expect.poll(masked).toBeGreaterThan(90);
  await page.keyboard.press("i");
  await expect.poll(masked).toBe(stroke);
  await page.getByRole("radio", { name: "Fill similar colours" }).check();
  await page.mouse.click(middle.x - 150, middle.y - 150);
  await expect.poll(masked, { timeout: 60_000 }).toBeGreaterThan(50);
  await page.getByRole("button", { name: "Save the mask" }).click();
  await page.getByRole("dialog", { name: "Mask" }).waitFor({ state: "detached" });
  await expect.poll(() => loader.locator("img").first().getAttribute("src")).toMatch(/masked-/);
  await page.context().close();
});
