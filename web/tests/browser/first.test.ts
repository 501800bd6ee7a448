/** The first minute of a new user: the studio's own first workflow, run as it is. */

import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPage, type Studio, startStudio } from "./studio";

let studio: Studio;

beforeAll(async () => {
  studio = await startStudio([], undefined, "bundled");
});
afterAll(() => studio?.close());

const LEGIBLE = 0.9;

/** The zoom of the canvas. */
function zoom(page: Page): Promise<number> {
  return page
    .locator(".react-flow__viewport")
    .evaluate((element) => new DOMMatrix(getComputedStyle(element).transform).a);
}

/** The nodes and wires that are partly outside of the canvas, or under a bar above it. */
function hidden(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const canvas = document.querySelector(".canvas")?.getBoundingClientRect();
    if (canvas === undefined) return ["there is no canvas"];
    const bars = [...document.querySelectorAll(".run-bar, .zoom-bar, .minimap")].map((each) =>
      each.getBoundingClientRect(),
    );
    const parts = document.querySelectorAll(".card, .wire .react-flow__edge-path");
    return [...parts].flatMap((part) => {
      const { left, top, right, bottom } = part.getBoundingClientRect();
      const outside =
        left < canvas.left || top < canvas.top || right > canvas.right || bottom > canvas.bottom;
      const under = bars.some(
        (bar) => left < bar.right && right > bar.left && top < bar.bottom && bottom > bar.top,
      );
      return outside || under
        ? [part.getAttribute("aria-label") ?? part.getAttribute("d") ?? ""]
        : [];
    });
  });
}

test.each([
  [1440, 900],
  [1280, 720],
])(
  "on %i x %i the first workflow is legible as a whole, and no panel is open",
  async (width, height) => {
    const page = await openPage(studio, undefined, { viewport: { width, height } }, null);
    expect(await page.getByRole("complementary", { name: "Inspector" }).count()).toBe(0);
    expect(await page.getByRole("tabpanel").count()).toBe(0);
    expect(await page.locator(".wire .react-flow__edge-path").count()).toBe(11);
    await expect.poll(() => zoom(page)).toBeGreaterThanOrEqual(LEGIBLE);
    expect(await hidden(page)).toEqual([]);
    await page.context().close();
  },
);

test("the first workflow is whole, and Run ends in a picture of 512 pixels", async () => {
  // On a small screen, too, the nodes are drawn with their fields, not as an overview.
  const page = await openPage(studio, undefined, { viewport: { width: 1280, height: 720 } });
  expect(await page.locator(".card").count()).toBe(9);
  expect(await page.getByRole("tab", { name: /^Problems \d/ }).count()).toBe(0);
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const picture = page.locator(".card .picture img").first();
  await picture.waitFor({ timeout: 110_000 });
  await expect
    .poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth))
    .toBe(512);
  await page.context().close();
});
