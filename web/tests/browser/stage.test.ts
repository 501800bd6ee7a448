/** The newest result, large: it opens with the first picture, and what one can do with it. */
import { readFileSync } from "node:fs";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { drag } from "./pointer";
import { dropFile, openPage, SEVEN_NODES, type Studio, startStudio } from "./studio";

const RUN = 110_000;
let studio: Studio;
let page: Page;

const stage = () => page.getByRole("complementary", { name: "Stage" });
const picture = () => stage().locator(".stage-open img.arriving");
const recent = () => stage().getByRole("list", { name: "Recent results" }).getByRole("listitem");
const onNode = (): Locator =>
  page.getByRole("group", { name: "Picture", exact: true }).locator(".picture");
const cells = () => page.getByRole("listbox", { name: "Results" }).getByRole("option");
const transform = () => page.locator(".react-flow__viewport").getAttribute("style");

/** The tests' first workflow, so small that a run takes a moment; the seed is fixed. */
async function openSmall(): Promise<void> {
  const file = JSON.parse(readFileSync(SEVEN_NODES, "utf8"));
  for (const node of file.nodes) {
    if (node.type === "KSampler") node.widgets_values[2] = 2;
    if (node.type === "EmptyLatentImage") node.widgets_values = [64, 64, 1];
  }
  const content = Buffer.from(JSON.stringify(file));
  await dropFile(page, { name: "small.json", type: "application/json", content });
  await page.getByRole("tab", { name: "small", exact: true }).waitFor();
}

beforeAll(async () => {
  studio = await startStudio();
  page = await openPage(studio, undefined, {}, null);
  await openSmall();
});
afterAll(() => studio?.close());

test("the first finished picture opens the stage, and the graph keeps its place", async () => {
  expect(await stage().count()).toBe(0);
  const before = await transform();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await picture().waitFor({ timeout: RUN });
  expect(await transform()).toBe(before);
  const [large, canvas] = [
    await stage().boundingBox(),
    await page.locator(".canvas").boundingBox(),
  ];
  expect(large?.width).toBeGreaterThan(400);
  expect((canvas?.x ?? 0) + (canvas?.width ?? 0)).toBeLessThanOrEqual((large?.x ?? 0) + 1);
  await stage().getByText("a sailing boat on the sea at sunset", { exact: true }).waitFor();
  await stage()
    .getByText(/^Seed 7 /)
    .waitFor();
});

test("a picture takes the whole width of its node", async () => {
  await page.getByRole("button", { name: "Show all" }).click();
  const card = await page.getByRole("group", { name: "Picture", exact: true }).boundingBox();
  const box = await onNode().boundingBox();
  expect(Math.abs((box?.width ?? 0) - (card?.width ?? 0))).toBeLessThanOrEqual(2);
});

test("where nothing has changed, a new seed is one click, and a repeat is no second tile", async () => {
  const first = await picture().getAttribute("src");
  await page.keyboard.press("Control+Enter");
  await expect
    .poll(async () => {
      const all = await page.request.get(`${studio.address}/api/calotype/history?limit=9`);
      return (await all.json()).total;
    })
    .toBe(2);
  await page.getByRole("button", { name: "New seed and run" }).click();
  await expect.poll(() => picture().getAttribute("src"), { timeout: RUN }).not.toBe(first);
  await expect.poll(() => recent().count()).toBe(2);
  await page.keyboard.press("Shift+H");
  // Nor in the history.
  await cells().first().waitFor();
  expect(await cells().count()).toBe(2);
  await page.keyboard.press("Shift+H");
  // The seed is the one that is shown on the node, and it stays.
  const seed = await stage().locator(".stage-line").textContent();
  expect(seed).not.toContain("Seed 7 ");
});

test("before and after lie over each other, with a divider", async () => {
  await stage().getByRole("button", { name: "Before and after" }).click();
  await stage().getByRole("slider", { name: "Position of the divider" }).waitFor();
  expect(await stage().locator(".wipe-room img").count()).toBe(2);
  await stage().getByRole("button", { name: "Before and after" }).click();
  await picture().waitFor();
});

test("the right button on a picture: its pixels are saved without the workflow", async () => {
  await onNode().click({ button: "right" });
  const menu = page.getByRole("menu", { name: "Picture" });
  await menu.waitFor();
  const saved = page.waitForEvent("download");
  await menu.getByRole("menuitem", { name: "Save without the workflow" }).click();
  const bytes = readFileSync(await (await saved).path());
  expect(bytes.subarray(1, 4).toString()).toBe("PNG");
  expect(bytes.includes("workflow")).toBe(false);
  expect(bytes.includes("sailing")).toBe(false);
});

test("as an input, a picture is joined to what takes it; one undo takes it back", async () => {
  const cards = page.locator(".outline [data-key], .card");
  const before = await cards.count();
  await picture().click({ button: "right" });
  await page.getByRole("menuitem", { name: "Use as an input" }).click();
  await page.getByText("KSampler now begins with the picture; its denoise is 0.6.").waitFor();
  const counted = async () => {
    const undo = page.getByRole("button", { name: "Undo", exact: true });
    return (await undo.getAttribute("data-tip")) ?? "";
  };
  expect(await counted()).toContain("Use a picture as an input");
  await page.getByRole("button", { name: "Undo", exact: true }).click();
  await expect.poll(() => cards.count()).toBe(before);
});

test("the menu of a picture is the same in the gallery, the viewer, the inspector", async () => {
  const menu = page.getByRole("menu", { name: "Picture" });
  const entries = async (target: Locator) => {
    await target.click({ button: "right" });
    await menu.waitFor();
    return await menu.getByRole("menuitem").allInnerTexts();
  };
  const expected = await entries(picture());
  expect(expected).toContain("Save the picture");
  expect(expected).toContain("Compare with the latest");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Shift+H");
  expect(await entries(cells().first())).toEqual(expected);
  await menu.getByRole("menuitem", { name: "Open in the viewer" }).click();
  const viewer = page.getByRole("dialog", { name: "A result in full size" });
  expect(await entries(viewer.locator(".room img"))).toEqual(expected);
  // Escape closes the menu, and the viewer stays.
  await page.keyboard.press("Escape");
  await menu.waitFor({ state: "detached" });
  await viewer.getByRole("button", { name: "Actions for this picture" }).click();
  await menu.getByRole("menuitem", { name: "Show on the stage" }).click();
  await viewer.waitFor({ state: "detached" });
  await page.getByRole("tab", { name: "History" }).click();
  await page.getByRole("button", { name: "Show all" }).click();
  await page.getByRole("group", { name: "Picture", exact: true }).locator(".card-title").click();
  await page.getByRole("button", { name: "Inspector", exact: true }).click();
  const result = page.getByRole("complementary", { name: "Inspector" }).locator(".result");
  expect((await entries(result)).slice(0, expected.length)).toEqual(expected);
  await page.keyboard.press("Escape");
  await result.click();
  await viewer.getByRole("complementary", { name: "How it was made" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Inspector", exact: true }).click();
});

test("one click and a double-click on a picture end in the viewer, which knows what made it", async () => {
  await onNode().dblclick();
  const viewer = page.getByRole("dialog", { name: "A result in full size" });
  await viewer.getByRole("complementary", { name: "How it was made" }).waitFor();
  await viewer.getByRole("button", { name: "Show actual pixels" }).waitFor();
  await page.keyboard.press("Escape");
  await viewer.waitFor({ state: "detached" });
});

test("the inner edge sets the width, and a second window takes the stage", async () => {
  const edge = stage().getByRole("separator", { name: "Width of the stage" });
  const before = (await stage().boundingBox())?.width ?? 0;
  const box = await edge.boundingBox();
  const at = { x: (box?.x ?? 0) + 4, y: (box?.y ?? 0) + 200 };
  await drag(page, at, { x: at.x - 80, y: at.y });
  await page.mouse.up();
  await expect
    .poll(async () => Math.round(((await stage().boundingBox())?.width ?? 0) - before))
    .toBeGreaterThan(70);
  const opening = page.waitForEvent("popup");
  await stage().getByRole("button", { name: "Move the stage to a window of its own" }).click();
  const other = await opening;
  await other.locator(".stage-open img.arriving").waitFor();
  expect(await stage().count()).toBe(0);
  // The menu and the viewer open in that window, where the picture is.
  await other.locator(".stage-open").click({ button: "right" });
  await other.getByRole("menuitem", { name: "Copy the picture" }).waitFor();
  expect(await page.getByRole("menu").count()).toBe(0);
  await other.keyboard.press("Escape");
  await other.locator(".stage-open").dblclick();
  const viewer = other.getByRole("dialog", { name: "A result in full size" });
  await viewer.getByRole("complementary", { name: "How it was made" }).waitFor();
  await other.keyboard.press("Escape");
  await viewer.waitFor({ state: "detached" });
  await other.getByRole("button", { name: "Dock the stage beside the graph" }).click();
  await picture().waitFor();
  expect(other.isClosed()).toBe(true);
});

test("ten runs are a click, the number and Enter", async () => {
  const sent: string[] = [];
  page.on("request", (asked) => {
    if (asked.method() === "POST" && asked.url().endsWith("/api/prompt")) sent.push(asked.url());
  });
  await page.getByRole("textbox", { name: /^Number of runs/ }).click();
  await page.keyboard.type("3");
  await page.keyboard.press("Enter");
  await expect.poll(() => sent.length).toBe(3);
  // Each has its own seed, so each is a picture of its own.
  await expect.poll(() => recent().count(), { timeout: RUN }).toBe(5);
  await page.getByRole("textbox", { name: /^Number of runs/ }).fill("1");
});

test("who closes the stage keeps it closed", async () => {
  await stage().getByRole("button", { name: "Close the stage" }).click();
  await page.keyboard.press("Alt+Shift+Enter");
  await expect
    .poll(
      async () => {
        const all = await page.request.get(`${studio.address}/api/calotype/history?limit=9`);
        return (await all.json()).total;
      },
      { timeout: RUN },
    )
    .toBe(7);
  expect(await stage().count()).toBe(0);
});
