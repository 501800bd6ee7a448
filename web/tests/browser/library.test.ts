/** The node library: browse, find, bookmark, and bring nodes to the canvas by any device. */
import type { CDPSession, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { violations } from "./axe";
import { linksOf, socketsOn } from "./links";
import { drag, middleOf } from "./pointer";
import { openPage, type Studio, startStudio } from "./studio";

let studio: Studio;
let page: Page;

beforeAll(async () => {
  studio = await startStudio();
});
afterAll(() => studio.close());

async function setBookmarks(names: readonly string[]): Promise<void> {
  const answer = await fetch(`${studio.address}/settings/calotype.bookmarks`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(names),
  });
  expect(answer.ok).toBe(true);
}

const library = () => page.getByRole("complementary", { name: "Node library" });
const rowOf = (name: string) => library().getByRole("treeitem", { name, exact: true });
const search = () => library().getByRole("searchbox", { name: "Search nodes" });
const cards = (name: string) => page.locator(".canvas").getByRole("group", { name, exact: true });

/** Scrolls the list until a row is built. */
async function reach(name: string) {
  await library().locator(".rows").hover();
  await expect
    .poll(async () => {
      if ((await rowOf(name).count()) === 0) await page.mouse.wheel(0, 120);
      return rowOf(name).count();
    })
    .toBe(1);
  return rowOf(name);
}

async function open(): Promise<void> {
  await page.getByRole("button", { name: "Node library" }).click();
  await library().waitFor();
}

describe("with a mouse and keys", () => {
  beforeEach(async () => {
    await setBookmarks([]);
    page = await openPage(studio);
  });
  afterEach(() => page.context().close());

  test("a node is browsed to, previewed like its card, and dragged to the canvas", async () => {
    await open();
    await (await reach("image")).click();
    await (await reach("upscaling")).click();
    await (await reach("Upscale Image")).click();
    const preview = library().locator(".node-preview .card");
    expect(await preview.locator(".card-title").textContent()).toBe("Upscale Image");
    expect(await preview.locator(".field .label").allTextContents()).toEqual([
      "upscale_method",
      "width",
      "height",
      "crop",
    ]);
    expect(await preview.locator(".socket-label").allTextContents()).toEqual(["image", "IMAGE"]);
    const to = { x: 900, y: 640 };
    await drag(page, rowOf("Upscale Image"), to);
    const carried = await page.locator(".carried .card").boundingBox();
    await page.mouse.up();
    await cards("Upscale Image").waitFor();
    const placed = await cards("Upscale Image").boundingBox();
    // It is put down where it was seen, to the grid, in the size that was seen.
    expect(Math.abs((placed?.x ?? 0) - (carried?.x ?? 0))).toBeLessThan(8);
    expect(Math.abs((placed?.y ?? 0) - (carried?.y ?? 0))).toBeLessThan(8);
    expect(placed?.height).toBeCloseTo(carried?.height ?? 0, 0);
    await page.keyboard.press("Control+z");
    await cards("Upscale Image").waitFor({ state: "detached" });
    // The next time, it is among the recent ones.
    await library().getByRole("button", { name: "Close" }).click();
    await open();
    await rowOf("Recently used").waitFor();
    expect(await library().getByRole("treeitem").nth(1).textContent()).toContain("Upscale Image");
  });

  test("Escape, and a drop that is not on the canvas, add nothing", async () => {
    const before = await page.locator(".canvas .card").count();
    await open();
    await search().fill("Canny");
    await drag(page, rowOf("Canny"), { x: 900, y: 640 });
    await page.locator(".carried").waitFor();
    await page.keyboard.press("Escape");
    await page.locator(".carried").waitFor({ state: "detached" });
    await page.mouse.up();
    expect(await library().count()).toBe(1);
    await drag(page, rowOf("Canny"), search());
    await page.mouse.up();
    expect(await page.locator(".canvas .card").count()).toBe(before);
  });

  test("dropped on a wire, a node is inserted into it", async () => {
    await open();
    await search().fill("Invert Image");
    const { input, output } = socketsOn(page);
    const [from, to] = [
      await middleOf(output("VAE Decode")),
      await middleOf(input("Picture", "images")),
    ];
    await drag(page, rowOf("Invert Image"), { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 });
    await page.mouse.up();
    await cards("Invert Image").waitFor();
    expect((await linksOf(page)).filter((each) => each.includes("ImageInvert"))).toEqual([
      "ImageInvert.IMAGE > Picture.images",
      "VAEDecode.IMAGE > ImageInvert.image",
    ]);
    await page.keyboard.press("Control+z");
    expect(await linksOf(page)).toContain("VAEDecode.IMAGE > Picture.images");
  });

  test("by keyboard alone: opened, searched, added, bookmarked and closed", async () => {
    await page.locator(".canvas").focus();
    await page.keyboard.press("b");
    await search().waitFor();
    await page.keyboard.type("canny");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await cards("Canny").waitFor();
    const box = await cards("Canny").boundingBox();
    const covered = await library().boundingBox();
    expect(box?.x).toBeGreaterThan((covered?.x ?? 0) + (covered?.width ?? 0));
    await page.keyboard.press("Space");
    await expect
      .poll(() => rowOf("Canny").getAttribute("aria-description"))
      .toContain("bookmarked");
    await page.keyboard.press("Escape");
    await library().waitFor({ state: "detached" });
  });

  test("a bookmark that comes above moves neither the rows nor the choice", async () => {
    await open();
    await (await reach("conditioning")).click();
    const row = await reach("CLIP Set Last Layer");
    await row.click();
    const before = await row.boundingBox();
    const star = library().getByRole("button", { name: "Bookmark CLIP Set Last Layer" });
    await star.click();
    await expect.poll(() => star.getAttribute("aria-pressed")).toBe("true");
    await expect.poll(async () => (await row.last().boundingBox())?.y).toBe(before?.y);
    expect(await row.last().getAttribute("aria-selected")).toBe("true");
    await library().getByRole("tree").press("Home");
    expect(await library().getByRole("treeitem").nth(1).textContent()).toContain("Set Last Layer");
  });

  test("bookmarks are kept on the server: another browser has them first", async () => {
    await open();
    await search().fill("Invert Mask");
    await rowOf("InvertMask").hover();
    await rowOf("InvertMask").getByTitle("Bookmark InvertMask").click();
    await search().fill("");
    await rowOf("Bookmarks").waitFor();
    await expect
      .poll(async () => {
        const answer = await page.request.get(`${studio.address}/settings`);
        return ((await answer.json()) as Record<string, unknown>)["calotype.bookmarks"];
      })
      .toContain("InvertMask");
    const other = await openPage(studio);
    await other.getByRole("button", { name: "Node library" }).click();
    const rows = other.getByRole("complementary", { name: "Node library" }).getByRole("treeitem");
    await expect.poll(() => rows.first().textContent()).toContain("Bookmarks");
    const described = await rows.nth(1).getAttribute("aria-description");
    expect(described).toContain("bookmarked");
    await other.context().close();
  });

  test("only rows in view are built, in any order; nothing breaks the rules of access", async () => {
    await page.emulateMedia({ reducedMotion: "reduce" });
    await open();
    await library().getByRole("button", { name: "By pack" }).click();
    await (await reach("built-in")).click();
    expect(await rowOf("built-in").getAttribute("aria-expanded")).toBe("true");
    expect(await violations(page, "the library")).toEqual([]);
    await search().fill("a");
    await expect.poll(() => library().getByRole("treeitem").count()).toBeGreaterThan(5);
    expect(await library().getByRole("treeitem").count()).toBeLessThan(60);
    const size = Number(await library().getByRole("treeitem").first().getAttribute("aria-setsize"));
    expect(size).toBeGreaterThan(100);
    await search().fill("#_for_testing");
    await expect.poll(() => library().locator(".badge").count()).toBeGreaterThan(0);
    expect(await violations(page, "the library")).toEqual([]);
  });
});

describe("with a finger", () => {
  let session: CDPSession;

  beforeEach(async () => {
    page = await openPage(studio, undefined, {
      viewport: { width: 1100, height: 820 },
      hasTouch: true,
    });
    session = await page.context().newCDPSession(page);
  });
  afterEach(() => page.context().close());

  async function touch(
    kind: "touchStart" | "touchMove" | "touchEnd",
    at?: { x: number; y: number },
  ) {
    const touchPoints = at === undefined ? [] : [{ ...at, id: 0 }];
    await session.send("Input.dispatchTouchEvent", { type: kind, touchPoints });
  }

  async function slide(from: { x: number; y: number }, to: { x: number; y: number }) {
    await touch("touchStart", from);
    for (let step = 1; step <= 8; step += 1) {
      await touch("touchMove", {
        x: from.x + ((to.x - from.x) * step) / 8,
        y: from.y + ((to.y - from.y) * step) / 8,
      });
    }
  }

  test("sideways carries a node to the canvas; up and down scrolls the list", async () => {
    await open();
    await search().fill("image");
    const first = await middleOf(library().getByRole("treeitem").first());
    await slide({ x: first.x, y: first.y + 120 }, { x: first.x, y: first.y });
    await touch("touchEnd");
    const list = library().locator(".rows");
    await expect.poll(() => list.evaluate((each) => each.scrollTop)).toBeGreaterThan(50);
    expect(await page.locator(".carried").count()).toBe(0);
    await search().fill("Invert Image");
    const before = await page.locator(".canvas .card").count();
    const row = await middleOf(rowOf("Invert Image"));
    await slide(row, { x: 620, y: row.y + 60 });
    await page.locator(".carried").waitFor();
    await touch("touchEnd");
    await expect.poll(() => page.locator(".canvas .card").count()).toBe(before + 1);
  });
});
