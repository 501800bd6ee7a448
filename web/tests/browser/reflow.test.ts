/**
 * At 200 % zoom, from right to left, with reduced motion: nothing is cut off, nothing moves by
 * itself.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Studio, startStudio } from "./studio";

let studio: Studio;

beforeAll(async () => {
  studio = await startStudio();
});
afterAll(() => studio?.close());

interface Kind {
  width: number;
  height: number;
  scale?: number;
  still?: boolean;
}

async function openAt({ width, height, scale = 1, still = false }: Kind): Promise<Page> {
  const context = await studio.browser.newContext({
    viewport: { width, height },
    deviceScaleFactor: scale,
    reducedMotion: still ? "reduce" : "no-preference",
  });
  const page = await context.newPage();
  // What the page before left on the server opens with that page's view.
  await page.route("**/api/calotype/journals", (route) => route.fulfill({ json: [] }), {
    times: 1,
  });
  await page.goto(studio.address);
  await page.locator(".react-flow__pane").waitFor();
  return page;
}

/** The controls that are partly outside of the screen, or covered. */
function lost(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) found.push("the page scrolls sideways");
    const bars =
      ".top-bar button, .rail button, .run-bar button, .dock > header button, .zoom-bar button";
    for (const each of document.querySelectorAll<HTMLElement>(bars)) {
      if (!each.checkVisibility({ visibilityProperty: true })) continue;
      const { left, top, right, bottom } = each.getBoundingClientRect();
      const name = each.getAttribute("aria-label") ?? each.textContent ?? "";
      const inside =
        left >= -1 && top >= -1 && right <= innerWidth + 1 && bottom <= innerHeight + 1;
      if (!inside) found.push(`${name} is cut off`);
      const above = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
      if (inside && above !== null && !each.contains(above) && !above.contains(each)) {
        found.push(`${name} lies under ${above.className}`);
      }
    }
    return found;
  });
}

test("at 200 % zoom all controls are there and none lies over another", async () => {
  const page = await openAt({ width: 720, height: 450, scale: 2 });
  expect(await lost(page)).toEqual([]);
  expect(await page.getByRole("button", { name: "Run", exact: true }).isVisible()).toBe(true);
  await page.keyboard.press("Control+,");
  const dialog = page.getByRole("dialog", { name: "Settings" });
  await dialog.waitFor();
  const box = await dialog.boundingBox();
  expect(box?.width).toBeLessThanOrEqual(720);
  expect(box?.height).toBeLessThanOrEqual(450);
  await page.context().close();
});

test("from right to left nothing is cut off", async () => {
  const page = await openAt({ width: 1280, height: 800 });
  await page.evaluate(() => {
    document.documentElement.dir = "rtl";
  });
  expect(await lost(page)).toEqual([]);
  await page.context().close();
});

test("whoever asked for less motion gets none", async () => {
  const page = await openAt({ width: 1280, height: 800, still: true });
  await page.locator(".card").first().waitFor();
  const moves = () =>
    page.evaluate(
      () => document.getAnimations().filter((each) => each.playState === "running").length,
    );
  const zoom = () => page.locator(".zoom-bar .percent").textContent();
  const before = await zoom();
  await page.evaluate(() => {
    const views = new Set<string>();
    Object.assign(globalThis, { views });
    const viewport = document.querySelector<HTMLElement>(".react-flow__viewport");
    if (viewport === null) return;
    new MutationObserver(() => views.add(viewport.style.transform)).observe(viewport, {
      attributes: true,
      attributeFilter: ["style"],
    });
  });
  await page.keyboard.press("Alt+-");
  await expect.poll(zoom).not.toBe(before);
  expect(
    await page.evaluate(() => (globalThis as unknown as { views: Set<string> }).views.size),
  ).toBe(1);
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog", { name: "Commands" }).waitFor();
  expect(await moves()).toBe(0);
  await page.context().close();
});
