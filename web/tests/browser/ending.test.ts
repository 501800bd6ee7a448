/**
 * Gestures that are cancelled by Escape or by going elsewhere, and where the focus is afterwards.
 */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { linksOf } from "./links";
import { drag, goFar, middleOf } from "./pointer";

let page: Page;

eachPage((opened) => {
  page = opened;
});

const press = (keys: string) => page.keyboard.press(keys);
const node = (title: string) => page.getByRole("group", { name: title, exact: true });
const title = (name: string) => node(name).locator(".card-title");
const latent = () => node("KSampler").locator(".react-flow__handle.source");
const palette = () => page.getByRole("dialog", { name: "Add a node" });
const focused = () =>
  page.evaluate(() => {
    const { activeElement: each } = document;
    return each?.getAttribute("aria-label") ?? each?.tagName ?? "";
  });
const cornerOf = async (name: string) => {
  const { x, y } = await middleOf(node(name));
  return { x: Math.round(x), y: Math.round(y) };
};

const below = async (name: string, by: number) => {
  const { x, y } = await middleOf(title(name));
  return { x: x + by, y: y + by };
};

test("Escape ends the pulling of a wire: nothing is joined, nothing is asked", async () => {
  const start = await middleOf(latent());
  const away = { x: start.x + 30, y: start.y + 280 };
  await drag(page, latent(), away);
  await page.locator(".pulled").waitFor({ state: "attached" });
  await press("Escape");
  await page.mouse.move(away.x + 20, away.y - 40);
  await page.mouse.up();
  expect(await page.locator(".pulled").count()).toBe(0);
  expect(await palette().count()).toBe(0);
  // A wire detached from the middle of its socket stays connected when cancelled.
  const before = await linksOf(page);
  const end = node("VAE Decode").locator('.react-flow__handle.target[data-handleid="samples"]');
  const lines = page.locator(".react-flow__edge-path");
  await drag(page, end, away);
  await page.locator(".pulled").waitFor({ state: "attached" });
  await expect.poll(() => lines.count()).toBe(before.length - 1);
  await press("Escape");
  await expect.poll(() => lines.count()).toBe(before.length);
  await page.mouse.up();
  expect(await linksOf(page)).toEqual(before);
  expect(await page.getByRole("button", { name: "Undo" }).isDisabled()).toBe(true);
  // The next gesture works again.
  await drag(page, latent(), away);
  await page.mouse.up();
  await palette().waitFor();
});

test("Escape puts back what is dragged; the next drag moves it", async () => {
  const before = await cornerOf("KSampler");
  await drag(page, title("KSampler"), await below("KSampler", 90));
  expect(await cornerOf("KSampler")).not.toEqual(before);
  await press("Escape");
  await expect.poll(() => cornerOf("KSampler")).toEqual(before);
  const further = await below("KSampler", 150);
  await page.mouse.move(further.x, further.y, { steps: 3 });
  await page.mouse.up();
  expect(await cornerOf("KSampler")).toEqual(before);
  expect(await page.getByRole("button", { name: "Undo" }).isDisabled()).toBe(true);
  expect(await page.getByRole("button", { name: "Redo" }).isDisabled()).toBe(true);
  await drag(page, title("KSampler"), await below("KSampler", 60));
  await page.mouse.up();
  const moved = await cornerOf("KSampler");
  expect(moved).not.toEqual(before);
  // What was undone before can still be redone.
  await press("Control+z");
  await drag(page, title("KSampler"), await below("KSampler", 120));
  await press("Escape");
  await page.mouse.up();
  await expect.poll(() => cornerOf("KSampler")).toEqual(before);
  await press("Control+Shift+z");
  await expect.poll(() => cornerOf("KSampler")).toEqual(moved);
});

test("a drag ends with its tab: no lines are left, and the next one is undone alone", async () => {
  const before = await cornerOf("KSampler");
  await drag(page, title("KSampler"), await below("KSampler", 60));
  await press("Alt+n");
  await page.locator(".empty-canvas").waitFor();
  await page.mouse.move(400, 300);
  await page.mouse.up();
  await press("Alt+PageUp");
  await node("KSampler").waitFor();
  await page.getByRole("toolbar", { name: "Selected nodes" }).waitFor();
  expect(await page.locator(".guide").count()).toBe(0);
  const moved = await cornerOf("KSampler");
  expect(moved).not.toEqual(before);
  await drag(page, title("KSampler"), await below("KSampler", 40));
  await page.mouse.up();
  expect(await cornerOf("KSampler")).not.toEqual(moved);
  await press("Control+z");
  await expect.poll(() => cornerOf("KSampler")).toEqual(moved);
});

test("Escape leads from a text to its node, on the canvas and from the inspector", async () => {
  await node("Prompt").getByRole("textbox").click();
  await press("Escape");
  await expect.poll(focused).toBe("Prompt");
  await press("Enter");
  await expect.poll(focused).toBe("text");
  await page.getByRole("complementary", { name: "Inspector" }).getByRole("textbox").click();
  await press("Escape");
  await expect.poll(focused).toBe("Prompt");
});

test("keys are about the node that was just added, copied or left over", async () => {
  const connecting = (name: string) => page.getByRole("dialog", { name: `Connect ${name}` });
  await node("Prompt").getByRole("textbox").click();
  await press("Escape");
  await press("ArrowRight");
  await expect.poll(focused).toBe("KSampler");
  await press("Shift+A");
  await palette().waitFor();
  await page.keyboard.type("preview image");
  await palette().getByRole("option", { name: "Preview Image" }).waitFor();
  await press("Enter");
  await expect.poll(focused).toBe("Preview Image");
  await press("c");
  await connecting("Preview Image").waitFor();
  await press("Escape");
  await press("Control+d");
  await expect.poll(() => page.locator(":focus").getAttribute("data-node")).toBe("9");
  // When the focused element is deleted or unmounted, the graph gets the focus.
  await press("Delete");
  await expect.poll(focused).toBe("Graph");
  await press("ArrowRight");
  await expect.poll(() => page.locator(".card:focus").count()).toBe(1);
  await goFar(page);
  await expect.poll(focused).toBe("Graph");
});

test("a double click selects no text that would be copied instead of nodes", async () => {
  await page.evaluate(() => {
    const text = document.querySelector(".top-bar");
    if (text !== null) getSelection()?.selectAllChildren(text);
  });
  const line = page.locator(".react-flow__edge-path").first();
  const place = await line.evaluate((element) => {
    const path = element as SVGPathElement;
    const at = path.getPointAtLength(path.getTotalLength() * 0.1);
    const { x, y } = at.matrixTransform(path.getScreenCTM() ?? undefined);
    return { x, y };
  });
  await page.mouse.dblclick(place.x, place.y);
  expect(await page.evaluate(() => String(getSelection()))).toBe("");
  await title("KSampler").click();
  await press("Control+c");
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  await expect.poll(copied).toContain('"type":"KSampler"');
});

test("a frame that was dragged by its title goes back by undo, folded up and not", async () => {
  await press("Control+a");
  await press("Control+g");
  const frame = page.locator("[data-frame]");
  // Its name is being typed; Enter ends that.
  await frame.locator("input:focus").waitFor();
  await press("Enter");
  for (const fold of [false, true]) {
    if (fold) await frame.getByRole("button", { name: "Fold the group", exact: true }).click();
    if (fold) await page.locator(".fold").waitFor();
    const header = frame.locator("header");
    const before = await middleOf(header);
    const grip = await middleOf(frame.getByRole("textbox", { name: "Title of the group" }));
    await drag(page, grip, { x: grip.x + 60, y: grip.y + 90 });
    await page.mouse.up();
    expect(await middleOf(header)).not.toEqual(before);
    await press("Control+z");
    await expect.poll(() => middleOf(header)).toEqual(before);
    await drag(page, grip, { x: grip.x + 60, y: grip.y + 90 });
    await press("Escape");
    await expect.poll(() => middleOf(header)).toEqual(before);
    await page.mouse.move(grip.x + 90, grip.y + 30);
    await page.mouse.up();
    expect(await middleOf(header)).toEqual(before);
  }
});
