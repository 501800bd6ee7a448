/** Prefetching waits until the user is idle, and can be declined. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { prefetchWhenIdle } from "../src/prefetch";

const prefetchParts = vi.hoisted(() => vi.fn(async () => undefined));
vi.mock("../src/prefetchParts", () => ({ prefetchParts }));

let page: EventTarget;

beforeEach(() => {
  vi.useFakeTimers();
  page = new EventTarget();
  vi.stubGlobal("window", page);
  vi.stubGlobal("document", new EventTarget());
  vi.stubGlobal("navigator", {});
  prefetchParts.mockClear();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("it waits until the page is left alone, and comes once", async () => {
  const end = prefetchWhenIdle();
  for (let count = 0; count < 10; count += 1) {
    await vi.advanceTimersByTimeAsync(4_000);
    page.dispatchEvent(new Event("pointermove"));
  }
  expect(prefetchParts).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(6_000);
  await vi.waitFor(() => expect(prefetchParts).toHaveBeenCalledOnce());
  page.dispatchEvent(new Event("keydown"));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(prefetchParts).toHaveBeenCalledOnce();
  end();
});

test("nothing comes where data is saved, or once the page has ended", async () => {
  prefetchWhenIdle()();
  vi.stubGlobal("navigator", { connection: { saveData: true } });
  const end = prefetchWhenIdle();
  expect(vi.getTimerCount()).toBe(0);
  end();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(prefetchParts).not.toHaveBeenCalled();
});
