/**
 * The cost of painting a mask: opening, strokes, a fill, saving, with the longest time that the page
 * did not answer and the memory of the page's process.
 *
 *     node tests/bench/mask.ts 1024 8000      (sides of the picture; Linux; CALOTYPE_PYTHON as in tests)
 */
import { readdirSync, readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { dropFile, openPage, startStudio } from "../browser/studio.ts";
import { plainPicture } from "./plainPicture.ts";

const STROKES = 5;
const PATIENCE = 300_000;

interface Task {
  milliseconds: number;
  longest: number;
}

/** Runs an act, and observes the page's tasks over 50 ms meanwhile. */
async function observed(page: Page, act: () => Promise<void>): Promise<Task> {
  await page.evaluate(() => {
    const kept = window as unknown as { longest: number; observer: PerformanceObserver };
    kept.longest = 0;
    kept.observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) kept.longest = Math.max(kept.longest, duration);
    });
    kept.observer.observe({ type: "longtask" });
  });
  const begun = performance.now();
  await act();
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))));
  const milliseconds = performance.now() - begun;
  // An entry is delivered after its task.
  await page.waitForTimeout(300);
  const longest = await page.evaluate(() => {
    const kept = window as unknown as { longest: number; observer: PerformanceObserver };
    kept.observer.disconnect();
    return kept.longest;
  });
  return { milliseconds, longest };
}

/** The largest resident size of the browser's pages so far, in MiB. */
function peakOfPages(): number {
  let peak = 0;
  for (const each of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${each}/cmdline`, "utf8");
      if (!command.includes("--type=renderer")) continue;
      const status = readFileSync(`/proc/${each}/status`, "utf8");
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
    } catch {
      // The process ended meanwhile.
    }
  }
  return peak;
}

const print = (text: string) => void process.stdout.write(`${text}\n`);

const say = (what: string, { milliseconds, longest }: Task) =>
  print(
    `  ${what}: ${Math.round(milliseconds)} ms, longest task ${longest === 0 ? "under 50" : Math.round(longest)} ms`,
  );

async function measure(side: number): Promise<void> {
  const studio = await startStudio();
  try {
    const page = await openPage(studio);
    page.setDefaultTimeout(PATIENCE);
    await dropFile(page, { name: "plain.png", type: "image/png", content: plainPicture(side) });
    await page.getByRole("group", { name: "Load Image", exact: true }).waitFor();
    await page.waitForTimeout(2000);
    print(`${side} x ${side}`);
    const before = peakOfPages();
    say(
      "open",
      await observed(page, async () => {
        await page.keyboard.press("Control+k");
        await page.getByRole("combobox", { name: "Name of a command" }).fill("edit the mask");
        await page.keyboard.press("Enter");
        await page.getByText(new RegExp(`${side} x ${side} pixels`)).waitFor();
      }),
    );
    await paint(page);
    say(
      "save",
      await observed(page, async () => {
        await page.getByRole("button", { name: "Save the mask" }).click();
        await page.getByRole("application", { name: /^The image/ }).waitFor({ state: "detached" });
      }),
    );
    print(`  memory: ${Math.round(before)} MiB before, ${Math.round(peakOfPages())} at most`);
  } finally {
    await studio.close();
  }
}

async function paint(page: Page): Promise<void> {
  const box = await page.getByRole("application", { name: /^The image/ }).boundingBox();
  if (box === null) throw new Error("The picture is not on the screen.");
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const strokes: Task[] = [];
  for (let each = 0; each < STROKES; each += 1) {
    const y = middle.y - 60 + each * 30;
    const stroke = await observed(page, async () => {
      await page.mouse.move(middle.x - 120, y);
      await page.mouse.down();
      await page.mouse.move(middle.x + 120, y + 10, { steps: 12 });
      await page.mouse.up();
    });
    strokes.push(stroke);
  }
  say("stroke of 12 steps, mean", {
    milliseconds: strokes.reduce((sum, each) => sum + each.milliseconds, 0) / STROKES,
    longest: Math.max(...strokes.map((each) => each.longest)),
  });
  const masked = async () => (await page.locator(".mask-state").textContent()) ?? "";
  const click = (name: string) => page.getByRole("button", { name, exact: true }).last().click();
  const step = async (name: string) => {
    const state = await masked();
    const task = await observed(page, async () => {
      await click(name);
      while ((await masked()) === state) await page.waitForTimeout(20);
    });
    say(name.toLowerCase(), task);
  };
  await step("Undo");
  await step("Invert");
  await step("Clear");
  const fill = await observed(page, async () => {
    await page.getByRole("radio", { name: "Fill similar colours" }).check();
    await page.mouse.click(middle.x, middle.y);
    while (!/[1-9][\d.]*\s*% masked/.test(await masked())) await page.waitForTimeout(20);
  });
  say("fill", fill);
  const feather = await observed(page, async () => {
    await click("Feather");
    await page.locator(".mask-editor:not([aria-busy=true])").waitFor();
  });
  say("feather", feather);
}

for (const side of process.argv.slice(2).map(Number)) await measure(side);
