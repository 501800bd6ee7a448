/** Gestures with a real pointer, and what they cost: wall time per event, and the frames they left. */
import type { Page } from "playwright-core";

export interface Cost {
  /** Wall milliseconds per event of the gesture: what it feels like. */
  each: number;
  /** The 95th percentile of the time between frames, in milliseconds. */
  p95: number;
}

export interface Place {
  x: number;
  y: number;
}

interface Counting {
  calotypeFrames?: number[];
}

const EVENTS = 30;

async function measured(page: Page, gesture: () => Promise<void>): Promise<Cost> {
  await page.evaluate(() => {
    const frames: number[] = [];
    const counting = window as unknown as Counting;
    counting.calotypeFrames = frames;
    let last = performance.now();
    const tick = (now: number) => {
      if (counting.calotypeFrames !== frames) return;
      frames.push(now - last);
      last = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  const begun = performance.now();
  await gesture();
  // Two frames later all of it is on the screen.
  await page.evaluate(
    () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
  );
  const wall = performance.now() - begun;
  const frames = await page.evaluate(() => {
    const counting = window as unknown as Counting;
    const taken = counting.calotypeFrames ?? [];
    delete counting.calotypeFrames;
    return taken;
  });
  return { each: wall / EVENTS, p95: percentile(frames.slice(1), 0.95) };
}

/** Pans with the middle button, there and back. */
export function pan(page: Page, at: Place): Promise<Cost> {
  return measured(page, async () => {
    await page.mouse.move(at.x, at.y);
    await page.mouse.down({ button: "middle" });
    await steps((step) => page.mouse.move(at.x + away(step) * 16, at.y + away(step) * 5));
    await page.mouse.up({ button: "middle" });
  });
}

/** Wheels out, in, and out again, so that it ends where it began. */
export function zoom(page: Page, at: Place): Promise<Cost> {
  return measured(page, async () => {
    await page.mouse.move(at.x, at.y);
    await steps((step) => page.mouse.wheel(0, Math.abs(step - EVENTS / 2) < EVENTS / 4 ? -24 : 24));
  });
}

/** Drags what lies there, there and back. */
export function drag(page: Page, at: Place): Promise<Cost> {
  return measured(page, async () => {
    await page.mouse.move(at.x, at.y);
    await page.mouse.down();
    await steps((step) => page.mouse.move(at.x + away(step) * 9, at.y + away(step) * 6));
    await page.mouse.up();
  });
}

function away(step: number): number {
  return step < EVENTS / 2 ? step + 1 : EVENTS - 1 - step;
}

async function steps(take: (step: number) => Promise<void>): Promise<void> {
  for (let step = 0; step < EVENTS; step += 1) await take(step);
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN;
}

/** Bytes of JavaScript that are held once everything unreachable is gone. */
export async function heapOf(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.enable");
  await session.send("HeapProfiler.collectGarbage");
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  return usedSize;
}

interface Frames {
  /** Animation frames that the page asked for. */
  asked: number;
  /** Frames that were drawn. */
  drawn: number;
}

/** What a page that nobody touches does in this time. */
export async function framesIn(page: Page, milliseconds: number): Promise<Frames> {
  const browser = page.context().browser();
  if (browser === null) throw new Error("The page has no browser.");
  await page.evaluate(() => {
    const counting = window as unknown as { calotypeAsked?: number };
    if (counting.calotypeAsked === undefined) {
      const ask = window.requestAnimationFrame.bind(window);
      window.requestAnimationFrame = (callback) => {
        counting.calotypeAsked = (counting.calotypeAsked ?? 0) + 1;
        return ask(callback);
      };
    }
    counting.calotypeAsked = 0;
  });
  await browser.startTracing(page, {
    categories: ["devtools.timeline", "disabled-by-default-devtools.timeline.frame"],
  });
  await page.waitForTimeout(milliseconds);
  const trace = JSON.parse((await browser.stopTracing()).toString()) as {
    traceEvents: { name: string }[];
  };
  const asked = await page.evaluate(
    () => (window as unknown as { calotypeAsked?: number }).calotypeAsked ?? 0,
  );
  return { asked, drawn: trace.traceEvents.filter(({ name }) => name === "DrawFrame").length };
}
