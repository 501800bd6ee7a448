/** Touch: one finger moves the view, two zoom, a long press opens a menu, two taps connect. */
import type { CDPSession, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { linksOf, socketsOn } from "./links";
import { middleOf, type Place } from "./pointer";
import { openPage, type Studio, startStudio } from "./studio";

let studio: Studio;
let page: Page;
let session: CDPSession;

beforeAll(async () => {
  studio = await startStudio();
});

afterAll(async () => {
  await studio.close();
});

beforeEach(async () => {
  page = await openPage(studio, undefined, {
    viewport: { width: 1100, height: 820 },
    hasTouch: true,
  });
  session = await page.context().newCDPSession(page);
});

afterEach(async () => {
  await page.context().close();
});

async function touch(kind: "touchStart" | "touchMove" | "touchEnd", ...fingers: Place[]) {
  const touchPoints = fingers.map(({ x, y }, id) => ({ x, y, id }));
  await session.send("Input.dispatchTouchEvent", { type: kind, touchPoints });
}

const view = () =>
  page.locator(".react-flow__viewport").evaluate((each) => {
    const { a, e, f } = new DOMMatrix(getComputedStyle(each).transform);
    return { zoom: a, x: e, y: f };
  });

/** An empty place of the canvas, away from its edges, where pulling would move the view. */
async function empty(): Promise<Place> {
  const found = await page.locator(".canvas").evaluate((canvas) => {
    const { left, top, right, bottom } = canvas.getBoundingClientRect();
    for (let y = top + 50; y < bottom - 50; y += 15) {
      for (let x = left + 50; x < right - 150; x += 15) {
        const all = [0, 100].map((by) => document.elementFromPoint(x + by, y + by / 4));
        if (all.every((each) => each?.classList.contains("react-flow__pane"))) return { x, y };
      }
    }
    return null;
  });
  if (found === null) throw new Error("The canvas is full.");
  return found;
}

test("one finger moves the view, two come nearer", async () => {
  const { x, y } = await empty();
  const before = await view();
  await touch("touchStart", { x, y });
  for (let step = 1; step <= 5; step += 1) await touch("touchMove", { x: x + step * 12, y });
  await touch("touchEnd");
  await expect.poll(async () => (await view()).x).toBeGreaterThan(before.x + 30);
  const moved = await view();
  expect(moved.zoom).toBeCloseTo(before.zoom);
  const again = await empty();
  const other = { x: again.x + 100, y: again.y + 25 };
  await touch("touchStart", again, other);
  for (let step = 1; step <= 5; step += 1) {
    await touch(
      "touchMove",
      { ...again, x: again.x - step * 4 },
      { ...other, x: other.x + step * 12 },
    );
  }
  await touch("touchEnd");
  await expect.poll(async () => (await view()).zoom).toBeGreaterThan(moved.zoom * 1.2);
});

test("two fingers that stay apart move the view", async () => {
  const at = await empty();
  const other = { x: at.x + 100, y: at.y + 25 };
  const before = await view();
  await touch("touchStart", at, other);
  for (let step = 1; step <= 6; step += 1) {
    const by = (place: Place) => ({ x: place.x + step * 10, y: place.y - step * 5 });
    await touch("touchMove", by(at), by(other));
  }
  await touch("touchEnd");
  await expect.poll(async () => (await view()).x).toBeGreaterThan(before.x + 30);
  const after = await view();
  expect(after.y).toBeLessThan(before.y - 10);
  expect(after.zoom).toBeCloseTo(before.zoom, 1);
});

test("a finger drags a node; one that rests on it opens its menu", async () => {
  const card = page.getByRole("group", { name: "KSampler", exact: true });
  const title = await middleOf(card.locator(".card-title"));
  const before = await card.boundingBox();
  await touch("touchStart", title);
  for (let step = 1; step <= 6; step += 1) {
    await touch("touchMove", { x: title.x - step * 2, y: title.y + step * 10 });
  }
  await touch("touchEnd");
  await expect
    .poll(async () => ((await card.boundingBox())?.y ?? 0) - (before?.y ?? 0))
    .toBeGreaterThan(40);
  await touch("touchStart", await middleOf(card.locator(".card-title")));
  await page.getByRole("menuitem", { name: "Bypass" }).waitFor();
  await touch("touchEnd");
  await page.getByRole("menuitem", { name: "Bypass" }).tap();
  await expect.poll(() => card.evaluate((each) => each.className)).toContain("bypassed");
});

test("a finger pulls a wire from a socket to another", async () => {
  const before = await linksOf(page);
  const { input, output } = socketsOn(page);
  const from = await middleOf(output("Negative prompt"));
  const to = await middleOf(input("KSampler", "positive"));
  await touch("touchStart", from);
  for (let step = 1; step <= 6; step += 1) {
    await touch("touchMove", {
      x: from.x + ((to.x - from.x) * step) / 6,
      y: from.y + ((to.y - from.y) * step) / 6,
    });
  }
  await touch("touchEnd");
  await expect.poll(() => linksOf(page)).not.toEqual(before);
  const all = await linksOf(page);
  expect(all.filter((each) => each.endsWith("KSampler.positive"))).toHaveLength(1);
  expect(all).toHaveLength(before.length);
});

test("on a phone the inspector is a sheet: dragged up and down, closed by a swipe", async () => {
  const sheet = page.locator(".inspector.sheet");
  const card = page.getByRole("group", { name: "KSampler", exact: true });
  await page.setViewportSize({ width: 390, height: 844 });
  // Out of the prompt, which has the focus at the start; then nothing is selected.
  for (let press = 0; press < 2; press += 1) await page.keyboard.press("Escape");
  await sheet.getByRole("button", { name: "KSampler" }).tap();
  const top = async () => (await sheet.boundingBox())?.y ?? 0;
  const clearance = async () => {
    const box = await card.boundingBox();
    return (await top()) - ((box?.y ?? 844) + (box?.height ?? 0));
  };
  // The node moves to where the sheet does not cover it, and so does the run bar.
  await expect.poll(clearance).toBeGreaterThan(0);
  expect((await page.locator(".run-bar").boundingBox())?.y).toBeLessThan(await top());
  const half = await top();
  const drag = async (to: number, pause: number) => {
    const from = await middleOf(sheet.locator(".sheet-handle"));
    await touch("touchStart", from);
    for (let step = 1; step <= 6; step += 1) {
      await touch("touchMove", { x: from.x, y: from.y + ((to - from.y) * step) / 6 });
      await page.waitForTimeout(pause);
    }
    if (pause > 20) await page.waitForTimeout(150);
    await touch("touchEnd");
  };
  await drag(240, 60);
  await expect.poll(top).toBeLessThan(half - 150);
  await drag(half, 60);
  await expect.poll(top).toBeCloseTo(half, -1);
  await drag(700, 6);
  await expect.poll(() => sheet.count()).toBe(0);
});

test("a tap on a node selects it, and what one taps is large enough", async () => {
  const title = page.getByRole("group", { name: "KSampler", exact: true }).locator(".card-title");
  const box = await title.boundingBox();
  if (box === null) throw new Error("The node is not on the screen.");
  await page.touchscreen.tap(box.x + box.width / 2, box.y + box.height / 2);
  await expect
    .poll(() => page.locator(".card.selected").getAttribute("aria-label"))
    .toBe("KSampler");
  const small = await page
    .locator(
      ".top-bar button, .rail button, .run-bar button, .dock > header button, .zoom-bar button",
    )
    .evaluateAll((all) =>
      all
        .filter((each) => each.checkVisibility())
        .filter((each) => Math.min(each.clientWidth, each.clientHeight) < 24)
        .map((each) => `${each.getAttribute("aria-label") ?? each.textContent}`),
    );
  expect(small).toEqual([]);
});

test("a finger that rests over nothing opens what one can do there", async () => {
  const opened = page.getByRole("menu").or(page.locator(".palette")).first();
  await touch("touchStart", await empty());
  await opened.waitFor();
  await touch("touchEnd");
  // Lifting the finger does not count as a click outside of it.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(done)));
  expect(await opened.isVisible()).toBe(true);
});

test("a finger takes a wire off by its socket; a tap and another one join the two again", async () => {
  const before = await linksOf(page);
  const { input, output } = socketsOn(page);
  const [from, to] = [
    await middleOf(output("VAE Decode")),
    await middleOf(input("Picture", "images")),
  ];
  const away = await empty();
  await touch("touchStart", to);
  for (let step = 1; step <= 5; step += 1) {
    await touch("touchMove", {
      x: to.x + ((away.x - to.x) * step) / 5,
      y: to.y + ((away.y - to.y) * step) / 5,
    });
  }
  await touch("touchEnd");
  const rest = before.filter((each) => each !== "VAEDecode.IMAGE > Picture.images");
  expect(await linksOf(page)).toEqual(rest);
  await page.touchscreen.tap(from.x, from.y);
  await expect.poll(() => page.locator(".socket.fit").count()).toBeGreaterThan(0);
  await page.touchscreen.tap(to.x, to.y);
  await expect.poll(() => page.locator(".socket.fit").count()).toBe(0);
  expect(await linksOf(page)).toEqual(before);
});
