/** What a run shows moves nothing: neither the words of the bar, nor counts, nor pictures. */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dropFile, openPage, SEVEN_NODES, type Studio, startStudio } from "./studio";

const LONG = 120_000;
let studio: Studio;

beforeAll(async () => {
  studio = await startStudio();
});
afterAll(() => studio?.close());

/** The tests' first workflow, so small that a run takes seconds, but with steps that are shown. */
async function openSmall(page: Page, steps: number): Promise<void> {
  const file = JSON.parse(readFileSync(SEVEN_NODES, "utf8"));
  for (const node of file.nodes) {
    if (node.type === "KSampler") node.widgets_values[2] = steps;
    if (node.type === "EmptyLatentImage") node.widgets_values = [64, 64, 1];
  }
  const content = Buffer.from(JSON.stringify(file));
  await dropFile(page, { name: "small.json", type: "application/json", content });
  await page.getByRole("tab", { name: "small", exact: true }).waitFor();
}

declare global {
  interface Window {
    shifts: string[];
  }
}

/** Records each layout shift from now on, input or not, with the elements that moved. */
function recordShifts(): void {
  interface Shift extends PerformanceEntry {
    value: number;
    sources: { node: Node | null; previousRect: DOMRect; currentRect: DOMRect }[];
  }
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries() as Shift[]) {
      const moved = sources.map(({ node, previousRect: from, currentRect: to }) => {
        const element = node instanceof Element ? node : node?.parentElement;
        const place = ({ x, y, width, height }: DOMRect) => [x, y, width, height].map(Math.round);
        return `${element?.outerHTML.slice(0, 120)} from ${place(from)} to ${place(to)}`;
      });
      window.shifts.push(`${value.toFixed(6)}: ${moved.join("; ")}`);
    }
  }).observe({ type: "layout-shift" });
}

/** Runs, and waits until the picture is on its node and nothing is pending any more. */
async function runOnce(page: Page): Promise<void> {
  await page.keyboard.press("Control+Enter");
  const stop = page.getByRole("region", { name: "Run" }).getByRole("button", { name: "Stop" });
  await stop.waitFor();
  await stop.waitFor({ state: "detached", timeout: LONG });
  await page.locator(".card .picture[data-picture] img").waitFor();
  await page.waitForTimeout(1500);
}

test(
  "a run shifts nothing, from the press to its picture",
  async () => {
    const page = await openPage(studio);
    await openSmall(page, 12);
    // The plan and what is loaded later are there.
    await page.locator(".run-bar .costs").waitFor();
    await page.waitForTimeout(1500);
    await page.evaluate(recordShifts);
    await runOnce(page);
    expect(await page.evaluate(() => window.shifts)).toEqual([]);
    // The measure itself: something that moves is seen.
    await page.evaluate(() => {
      const bar = document.querySelector<HTMLElement>(".dock > header");
      if (bar !== null) bar.style.paddingInlineStart = "80px";
    });
    await expect.poll(() => page.evaluate(() => window.shifts.length)).toBeGreaterThan(0);
    await page.context().close();
  },
  LONG,
);

test(
  "the typeface arrives without moving anything",
  async () => {
    const page = await openPage(studio, async (each) => {
      await each.addInitScript(recordShifts);
      // It comes when the graph has been drawn without it.
      await each.route("**/*.woff2", async (route) => {
        await each.locator(".card").first().waitFor();
        await each.evaluate(() => {
          window.shifts = [];
        });
        await new Promise((done) => setTimeout(done, 500));
        await route.continue();
      });
    });
    await page.waitForFunction(() => document.fonts.check("13px Inter"));
    await page.waitForTimeout(1000);
    const total = (await page.evaluate(() => window.shifts)).reduce(
      (sum, each) => sum + Number.parseFloat(each),
      0,
    );
    // Words of other widths shift their neighbours by a few pixels; "good" ends at 0.1.
    expect(total).toBeLessThan(0.005);
    await page.context().close();
  },
  LONG,
);

/** The animations and transitions that elements of the page declare, other than none. */
function motions(page: Page): Promise<readonly string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll("*")].flatMap((each) =>
      [null, "::after", "::before"].flatMap((part) => {
        const { animationName, transitionDuration } = getComputedStyle(each, part);
        const moves = animationName !== "none" || !/^(0s)(, 0s)*$/.test(transitionDuration);
        return moves ? [`${each.tagName} ${each.className}${part ?? ""}`] : [];
      }),
    ),
  );
}

test(
  "a finished node's ring fades and a picture arrives, unless the system wants no motion",
  async () => {
    const page = await openPage(studio);
    // Other steps, so that nothing is cached.
    await openSmall(page, 11);
    const seen = page.evaluate(
      () =>
        new Promise<string[]>((done) => {
          const names = new Set<string>();
          const note = (event: Event) => {
            const { target, type } = event;
            if (!(target instanceof Element)) return;
            if (type === "transitionstart" && target.matches(".card")) names.add("ring");
            if (type === "animationstart" && target.matches(".picture img")) names.add("picture");
            if (names.size === 2) done([...names].sort());
          };
          document.addEventListener("transitionstart", note, true);
          document.addEventListener("animationstart", note, true);
        }),
    );
    await runOnce(page);
    expect(await seen).toEqual(["picture", "ring"]);
    expect((await motions(page)).length).toBeGreaterThan(0);
    await page.emulateMedia({ reducedMotion: "reduce" });
    expect(await motions(page)).toEqual([]);
    await page.context().close();
  },
  LONG,
);
