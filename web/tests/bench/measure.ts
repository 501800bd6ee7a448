/** Gestures with a real pointer and their cost: wall time per event, and the frames during them. */
import type { CDPSession, Page } from "playwright-core";

export interface Cost {
  /** Wall milliseconds per event of the gesture, as the user perceives it. */
  each: number;
  /** The 95th percentile of the time between frames, in milliseconds. */
  p95: number;
  /**
   * Milliseconds per event in which the page's main thread was busy, without waiting for frames.
   */
  busy: number;
}

export interface Place {
  x: number;
  y: number;
}

interface Counting {
  calotypeFrames?: number[];
}

const EVENTS = 30;
/**
 * A drag has more events, so that the frames before and after it matter less: each event takes at
 * least a frame.
 */
const DRAGGED = 60;

async function measured(page: Page, events: number, gesture: () => Promise<void>): Promise<Cost> {
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
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const worked = await workOf(session);
  const begun = performance.now();
  await gesture();
  // Two frames later everything is on the screen.
  await page.evaluate(
    () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
  );
  const wall = performance.now() - begun;
  const busy = (await workOf(session)) - worked;
  await session.detach();
  const frames = await page.evaluate(() => {
    const counting = window as unknown as Counting;
    const taken = counting.calotypeFrames ?? [];
    delete counting.calotypeFrames;
    return taken;
  });
  return { each: wall / events, p95: percentile(frames.slice(1), 0.95), busy: busy / events };
}

/** The total time of the main thread's work, in milliseconds. */
async function workOf(session: CDPSession): Promise<number> {
  const { metrics } = await session.send("Performance.getMetrics");
  const seconds = metrics.find(({ name }) => name === "TaskDuration")?.value;
  if (seconds === undefined) throw new Error("The browser does not say how long it worked.");
  return seconds * 1000;
}

/** Pans with the middle button, forth and back. */
export function pan(page: Page, at: Place): Promise<Cost> {
  return measured(page, EVENTS, async () => {
    await page.mouse.move(at.x, at.y);
    await page.mouse.down({ button: "middle" });
    await steps(EVENTS, (step) =>
      page.mouse.move(at.x + away(step, EVENTS) * 16, at.y + away(step, EVENTS) * 5),
    );
    await page.mouse.up({ button: "middle" });
  });
}

/** Zooms out, in, and out again with the wheel, so that it ends where it began. */
export function zoom(page: Page, at: Place): Promise<Cost> {
  return measured(page, EVENTS, async () => {
    await page.mouse.move(at.x, at.y);
    await steps(EVENTS, (step) =>
      page.mouse.wheel(0, Math.abs(step - EVENTS / 2) < EVENTS / 4 ? -24 : 24),
    );
  });
}

/**
 * Drags what is at a place, forth and back. Throws where an element is there but does not follow.
 */
export async function drag(page: Page, at: Place): Promise<Cost> {
  const node = await page.evaluateHandle(
    ({ x, y }) => document.elementFromPoint(x, y)?.closest(".react-flow__node") ?? null,
    at,
  );
  const moves = await page.evaluateHandle((node) => {
    const counted = { steps: 0 };
    const count = (changes: unknown[]) => {
      counted.steps += changes.length;
    };
    if (node !== null) new MutationObserver(count).observe(node, { attributeFilter: ["style"] });
    return counted;
  }, node);
  const cost = await measured(page, DRAGGED, async () => {
    await page.mouse.move(at.x, at.y);
    await page.mouse.down();
    await steps(DRAGGED, (step) =>
      page.mouse.move(at.x + away(step, DRAGGED) * 9, at.y + away(step, DRAGGED) * 6),
    );
    await page.mouse.up();
  });
  const stays = await page.evaluate(({ node, moves }) => node !== null && moves.steps < 10, {
    node,
    moves,
  });
  if (stays) throw new Error("What was dragged did not follow the pointer.");
  return cost;
}

function away(step: number, events: number): number {
  return step < events / 2 ? step + 1 : events - 1 - step;
}

async function steps(events: number, take: (step: number) => Promise<void>): Promise<void> {
  for (let step = 0; step < events; step += 1) await take(step);
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN;
}

/** Bytes of JavaScript heap after garbage collection. */
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
  /** Animation frames that the page requested. */
  asked: number;
  /** Frames that were drawn. */
  drawn: number;
}

/** The frames of a page without any input during this time. */
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
