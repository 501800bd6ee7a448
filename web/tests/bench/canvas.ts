/**
 * Measures the editor: bytes, time until a large graph is shown, and the cost of gestures, each
 * alternating with the same graph drawn by plain React Flow.
 *
 *     node tests/bench/canvas.ts [--rounds 5] [--only atWork]   (Node 24; CALOTYPE_SERVER or CALOTYPE_PYTHON as in tests)
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import type { Page } from "playwright-core";
import { dropFile, openPage, type Studio, startStudio } from "../browser/studio.ts";
import { scriptBytes } from "./bytes.ts";
import { type Cost, drag, heapOf, median, type Place, pan, zoom } from "./measure.ts";
import { servePlain } from "./plain.ts";
import { sceneOf, teachScene, workflowOf } from "./scene.ts";

const PARTS = { ready, atWork, farOut, memory } as const;
const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, only: { type: "string", default: "" } },
});
const ROUNDS = Number(options.rounds);
/** The number of uncounted runs of each gesture, after which the browser has compiled hot code. */
const WARMING = 3;
const OPENED = 50;
const GESTURES = { pan, zoom, drag } as const;
type Gesture = keyof typeof GESTURES;
const NAMES: readonly Gesture[] = ["pan", "zoom", "drag"];
const BOUNDS: Readonly<Record<Gesture, number>> = { pan: 1 / 5, zoom: 2 / 5, drag: 1 / 4 };

const lines: string[][] = [];
const say = (name: string, value: string, wanted = "") => {
  lines.push([name, value, wanted]);
  process.stdout.write(`${name.padEnd(52)}${value.padEnd(34)}${wanted}\n`);
};
const round = (value: number, digits = 0) => value.toFixed(digits);

async function openScene(studio: Studio, count: number): Promise<Page> {
  const page = await openPage(studio, teachScene);
  await page.setViewportSize({ width: 1600, height: 900 });
  await dropScene(page, count);
  return page;
}

async function dropScene(page: Page, count: number): Promise<void> {
  await dropFile(page, {
    name: `${count}.json`,
    type: "application/json",
    content: Buffer.from(workflowOf(sceneOf(count))),
  });
  await page.locator(`.overview[data-nodes="${count}"]`).waitFor();
}

/**
 * Milliseconds from the drop until the graph is painted, reacts to the pointer, and two frames
 * passed.
 */
function dropTime(page: Page, count: number): Promise<number> {
  return page.evaluate(
    async ({ text, count }) => {
      const frame = () => new Promise((done) => requestAnimationFrame(done));
      const transfer = new DataTransfer();
      transfer.items.add(new File([text], "dropped.json", { type: "application/json" }));
      const begun = performance.now();
      const drop = new DragEvent("drop", { dataTransfer: transfer, bubbles: true });
      document.querySelector(".canvas")?.dispatchEvent(drop);
      while (document.querySelector(`.overview[data-nodes="${count}"]`) === null) await frame();
      await frame();
      await frame();
      return performance.now() - begun;
    },
    { text: workflowOf(sceneOf(count)), count },
  );
}

/** Milliseconds from navigation until the previously open graph is on the screen again. */
async function navigationTime(page: Page): Promise<number> {
  await page.reload();
  await page.waitForFunction(() => performance.getEntriesByName("drawn").length > 0);
  return page.evaluate(() => performance.getEntriesByName("drawn")[0]?.startTime ?? Number.NaN);
}

async function markDrawn(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const look = () => {
      const drawn =
        document.querySelector(".overview[data-nodes]") ?? document.querySelectorAll(".card")[7];
      if (drawn == null) requestAnimationFrame(look);
      else requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("drawn")));
    };
    requestAnimationFrame(look);
  });
}

async function ready(studio: Studio): Promise<void> {
  for (const [count, wanted] of [
    [1000, 1.5],
    [2000, 2],
  ] as const) {
    const dropped: number[] = [];
    for (let turn = 0; turn < ROUNDS; turn += 1) {
      const page = await openPage(studio, teachScene);
      dropped.push(await dropTime(page, count));
      await page.context().close();
    }
    const page = await openScene(studio, count);
    await markDrawn(page);
    // Open documents are stored within two seconds.
    await page.waitForTimeout(3_000);
    const navigated: number[] = [];
    for (let turn = 0; turn < ROUNDS; turn += 1) navigated.push(await navigationTime(page));
    await page.context().close();
    say(`${count} nodes, dropped to drawn`, `${round(median(dropped))} ms`, `< ${wanted} s`);
    say(`${count} nodes, navigation to drawn`, `${round(median(navigated))} ms`, `< ${wanted} s`);
  }
}

/** Zooms to 100 % at the middle of the graph. */
async function toWork(page: Page): Promise<void> {
  const box = await page.locator(".canvas").boundingBox();
  if (box === null) throw new Error("There is no canvas.");
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.wheel(0, -300);
  await page.getByTitle("Zoom to 100%").click();
  await page.locator(".card").first().waitFor();
  await page.waitForTimeout(500);
}

const AT: Place = { x: 640, y: 380 };

/** The position of the title of a node in the middle of the screen. */
async function titleOf(page: Page): Promise<Place> {
  const boxes = await page.locator(".card-title .name").evaluateAll((all) =>
    all.map((each) => {
      const { x, y, width, height } = each.getBoundingClientRect();
      return { x: x + width / 2, y: y + height / 2 };
    }),
  );
  const far = ({ x, y }: Place) => (x - AT.x) ** 2 + (y - AT.y) ** 2;
  const nearest = boxes.sort((one, other) => far(one) - far(other))[0];
  if (nearest === undefined) throw new Error("No title of a node is on the screen.");
  return nearest;
}

async function atWork(studio: Studio): Promise<void> {
  const plain = await servePlain();
  const ours = await openScene(studio, 1000);
  await toWork(ours);
  const theirs = await plain.open(studio.browser, 1000);
  // A lower bound for any page, as an event waits for its frame.
  const empty = await (await studio.browser.newContext()).newPage();
  await empty.setViewportSize({ width: 1600, height: 900 });
  const elements = await ours.evaluate(() => document.querySelectorAll("*").length);
  const baseline = await theirs.evaluate(() => document.querySelectorAll("*").length);
  say("1000 nodes at 100 %: elements in the page", `${elements}, plain ${baseline}`);
  const taken = new Map<Gesture, Record<"ours" | "theirs" | "empty", Cost[]>>();
  for (const name of NAMES) {
    const all = { ours: [] as Cost[], theirs: [] as Cost[], empty: [] as Cost[] };
    taken.set(name, all);
    const gesture = GESTURES[name];
    // After a drag the node is elsewhere, so its position is read again.
    const place = (page: Page) => (name === "drag" ? titleOf(page) : AT);
    for (let turn = -WARMING; turn < ROUNDS; turn += 1) {
      const [mine, plainly] = [
        await gesture(ours, await place(ours)),
        await gesture(theirs, await place(theirs)),
      ];
      const least = await gesture(empty, AT);
      if (turn < 0) continue;
      all.ours.push(mine);
      all.theirs.push(plainly);
      all.empty.push(least);
    }
  }
  for (const [name, all] of taken) {
    const [mine, plainly, least] = [medianOf(all.ours), medianOf(all.theirs), medianOf(all.empty)];
    const share = mine.each / plainly.each;
    say(
      `1000 nodes at 100 %: ${name}, ms an event (frame p95)`,
      `${round(mine.each)} (${round(mine.p95)}), plain ${round(plainly.each)} (${round(plainly.p95)}), empty page ${round(least.each)}`,
      name === "zoom" ? "" : "p95 < 50 ms",
    );
    say(`  of plain React Flow's time`, round(share, 2), `<= ${BOUNDS[name]}`);
    say(
      "  main thread at work, ms an event",
      `${round(mine.busy, 1)}, plain ${round(plainly.busy, 1)}: ${round(mine.busy / plainly.busy, 2)}`,
    );
  }
  await empty.context().close();
  await theirs.context().close();
  await ours.context().close();
  await plain.close();
}

function medianOf(costs: readonly Cost[]): Cost {
  return {
    each: median(costs.map(({ each }) => each)),
    p95: median(costs.map(({ p95 }) => p95)),
    busy: median(costs.map(({ busy }) => busy)),
  };
}

async function farOut(studio: Studio): Promise<void> {
  for (const count of [1000, 2000]) {
    const page = await openScene(studio, count);
    const costs: Record<Gesture, Cost[]> = { pan: [], zoom: [], drag: [] };
    for (let turn = 0; turn < ROUNDS; turn += 1) {
      for (const name of NAMES) costs[name].push(await GESTURES[name](page, await nodeAt(page)));
    }
    for (const name of NAMES) {
      const { each, p95 } = medianOf(costs[name]);
      say(
        `${count} nodes, all on the screen: ${name}, ms (p95)`,
        `${round(each)} (${round(p95)})`,
        name === "zoom" ? "" : "p95 < 50 ms",
      );
    }
    await page.context().close();
  }
}

/** A screen position on a painted node near the middle of the graph. */
async function nodeAt(page: Page): Promise<Place> {
  const box = await page.locator(".canvas").boundingBox();
  if (box === null) throw new Error("There is no canvas.");
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

async function memory(studio: Studio): Promise<void> {
  const page = await openPage(studio, teachScene);
  const text = workflowOf(sceneOf(300));
  const heaps: number[] = [];
  for (let turn = 1; turn <= OPENED; turn += 1) {
    await dropFile(page, {
      name: `${turn}.json`,
      type: "application/json",
      content: Buffer.from(text),
    });
    const tab = page.getByRole("tab", { name: String(turn), exact: true });
    await tab.waitFor();
    await page.locator('.overview[data-nodes="300"]').waitFor();
    await page.getByRole("button", { name: `Close ${turn}`, exact: true }).click();
    if (turn === 10 || turn === OPENED) {
      await page.waitForTimeout(3_000);
      heaps.push(await heapOf(page));
    }
  }
  const [after10 = 0, after50 = 0] = heaps;
  say(
    "heap after opening and closing 10, 50 workflows",
    `${round(after10 / 1e6, 1)} MB, ${round(after50 / 1e6, 1)} MB`,
    "flat",
  );
  await page.context().close();
}

say("machine: load average before", round(loadavg()[0] ?? 0, 2));
const bytes = scriptBytes();
say("initial JavaScript, gzipped", `${round(bytes.initial / 1000)} kB`, "<= 250 kB");
say("JavaScript that comes later, gzipped", `${round(bytes.later / 1000)} kB`);
const studio = await startStudio();
try {
  for (const [name, part] of Object.entries(PARTS)) {
    if (options.only === "" || options.only === name) await part(studio);
  }
} finally {
  await studio.close();
}
say("machine: load average after", round(loadavg()[0] ?? 0, 2));
