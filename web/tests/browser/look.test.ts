/** The look, measured: contrast of nodes, the typeface, scrollbars, a run without layout shifts. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPage, type Studio, startStudio } from "./studio";

const LONG = 200_000;
let studio: Studio;

beforeAll(async () => {
  studio = await startStudio();
});
afterAll(() => studio?.close());

async function openIn(theme: string): Promise<Page> {
  return openPage(studio, async (page) => {
    await page.route("**/api/settings", (route) =>
      route.request().method() === "GET"
        ? route.fulfill({ json: { "calotype.theme": theme } })
        : route.continue(),
    );
  });
}

/** The contrast of two elements' backgrounds, as WCAG 2.1 defines it. */
function contrast(page: Page, one: string, other: string): Promise<number> {
  return page.evaluate(
    (selectors) => {
      const [a = 0, b = 0] = selectors.map((selector) => {
        const element = document.querySelector(selector);
        if (element === null) throw new Error(`There is no ${selector}.`);
        // Painted, so that any notation of a colour is read as the screen shows it.
        const context = new OffscreenCanvas(1, 1).getContext("2d");
        if (context === null) throw new Error("There is no canvas.");
        context.fillStyle = getComputedStyle(element).backgroundColor;
        context.fillRect(0, 0, 1, 1);
        const [r = 0, g = 0, b = 0, alpha] = context.getImageData(0, 0, 1, 1).data;
        if (alpha !== 255) throw new Error(`${selector} is transparent.`);
        const [red = 0, green = 0, blue = 0] = [r, g, b].map((value) =>
          value <= 10 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
        );
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
      });
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    },
    [one, other],
  );
}

test.each(["dark", "light"])(
  "a node stands out from the canvas in the %s theme",
  async (theme) => {
    const page = await openIn(theme);
    expect(await page.locator("html").getAttribute("data-theme")).toBe(theme);
    const measured = await contrast(page, ".card:not(.muted, .idle)", ".react-flow");
    expect(measured).toBeGreaterThan(1.38);
    // More would glare: the canvas is a ground, not a frame.
    expect(measured).toBeLessThan(1.6);
    await page.context().close();
  },
  LONG,
);

test(
  "the typeface comes with the editor, and its digits are equally wide",
  async () => {
    const asked: string[] = [];
    const page = await openPage(studio, async (each) => {
      each.on("request", (request) => asked.push(request.url()));
    });
    await page.evaluate(() => document.fonts.ready);
    const loaded = await page.evaluate(() =>
      [...document.fonts].filter((each) => each.status === "loaded").map((each) => each.family),
    );
    expect(loaded).toContain("Inter");
    expect(
      asked.filter((url) => !url.startsWith(studio.address) && !/^(data|blob):/.test(url)),
    ).toEqual([]);
    expect(asked.filter((url) => url.includes("inter-latin-extended"))).toEqual([]);
    const widths = await page.evaluate(() =>
      ["1111111111", "0000000000", "4747474747"].map((digits) => {
        const line = document.createElement("span");
        line.textContent = digits;
        document.body.append(line);
        const { width } = line.getBoundingClientRect();
        line.remove();
        return Math.round(width * 10) / 10;
      }),
    );
    expect(new Set(widths).size).toBe(1);
    await page.context().close();
  },
  LONG,
);

test(
  "all scrollbars look alike",
  async () => {
    const page = await openIn("dark");
    await page.keyboard.press("Control+,");
    await page.getByRole("dialog", { name: "Settings" }).waitFor();
    const looks = await page.evaluate(() =>
      [...document.querySelectorAll("*")]
        .filter((each) => /auto|scroll/.test(getComputedStyle(each).overflowY))
        .map((each) => getComputedStyle(each))
        // The strip of tabs has a list of all tabs instead.
        .filter(({ scrollbarWidth }) => scrollbarWidth !== "none")
        .map(({ scrollbarWidth, scrollbarColor }) => `${scrollbarWidth} ${scrollbarColor}`),
    );
    expect(looks.length).toBeGreaterThan(1);
    expect(new Set(looks).size).toBe(1);
    await page.context().close();
  },
  LONG,
);

test(
  "the label of an icon comes when the pointer rests on it, and goes with it",
  async () => {
    const page = await openIn("dark");
    const tip = page.locator(".tip");
    await page.getByRole("button", { name: "Inspector" }).hover();
    await tip.waitFor();
    expect(await tip.textContent()).toBe("Inspector I");
    const box = await tip.boundingBox();
    expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThanOrEqual(1440);
    await page.mouse.move(700, 120);
    await tip.waitFor({ state: "detached" });
    await page.locator(".card", { hasText: "KSampler" }).locator(".card-title").click();
    const bar = page.getByRole("toolbar", { name: "Selected nodes" });
    const said: string[] = [];
    for (const name of ["Bypass", "Mute", "Collapse", "Pin"]) {
      await bar.getByRole("button", { name }).hover();
      await tip.filter({ hasText: name }).waitFor();
      said.push((await tip.textContent()) ?? "");
    }
    expect(said).toEqual(["Bypass Ctrl B", "Mute Ctrl M", "Collapse Alt C", "Pin P"]);
    await page.keyboard.press("Escape");
    await tip.waitFor({ state: "detached" });
    await page.context().close();
  },
  LONG,
);

test(
  "the help has a legend of the signs",
  async () => {
    const page = await openIn("dark");
    await page.keyboard.press("?");
    const legend = page.getByRole("region", { name: "Signs on nodes" });
    await legend.waitFor();
    expect(await legend.getByRole("listitem").count()).toBe(9);
    const kinds = page.getByRole("region", { name: "Colours of titles" });
    const colours = await kinds
      .locator(".kind-bar")
      .evaluateAll((bars) => bars.map((each) => getComputedStyle(each).boxShadow));
    expect(new Set(colours).size).toBe(5);
    await page.context().close();
  },
  LONG,
);
