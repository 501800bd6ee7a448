/** Parts of the program that cannot be fetched at first. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fetchWithRetry } from "../../src/widgets/fetchWithRetry";

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("document", new EventTarget());
  vi.stubGlobal("window", new EventTarget());
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** Fails this many times, and counts the calls. */
function away(times: number) {
  return vi.fn(async () => {
    times -= 1;
    if (times >= 0) throw new TypeError("away");
    return "here";
  });
}

test("what fails is asked for again, and what came is not", async () => {
  const part = away(2);
  const fetched = fetchWithRetry(part);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await fetched).toBe("here");
  expect(part).toHaveBeenCalledTimes(3);
});

test("after a few tries it fails with what failed last", async () => {
  const part = away(Number.POSITIVE_INFINITY);
  const fetched = expect(fetchWithRetry(part)).rejects.toThrow("away");
  await vi.advanceTimersByTimeAsync(60_000);
  await fetched;
  expect(part).toHaveBeenCalledTimes(4);
});

test("what can be told of is told once, and asked for until it is here, ever more seldom", async () => {
  const told = vi.fn();
  const part = away(30);
  const fetched = fetchWithRetry(part, told);
  await vi.advanceTimersByTimeAsync(60_000);
  const inTheFirstMinute = part.mock.calls.length;
  expect(inTheFirstMinute).toBeLessThan(12);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(await fetched).toBe("here");
  expect(told).toHaveBeenCalledOnce();
});

test("when the network is back, nobody waits", async () => {
  const part = away(1);
  const fetched = fetchWithRetry(part);
  await vi.advanceTimersByTimeAsync(0);
  expect(part).toHaveBeenCalledOnce();
  window.dispatchEvent(new Event("online"));
  expect(await fetched).toBe("here");
});
