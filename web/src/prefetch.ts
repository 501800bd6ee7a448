/**
 * After some seconds without input, fetches the parts of the editor that are not loaded yet, so
 * that they open even while the server is unreachable. Skipped where the browser asks to save data.
 */
import { fetchSilently } from "./widgets/fetchWithRetry";

const IDLE_DELAY = 5_000;
const INPUT_EVENTS = ["pointermove", "pointerdown", "keydown", "wheel"] as const;

/** Starts prefetching at the first idle period. Returns a function that ends it. */
export function prefetchWhenIdle(): () => void {
  const { connection } = navigator as { connection?: { saveData?: boolean } };
  if (connection?.saveData === true) return () => undefined;
  const ending = new AbortController();
  const { signal } = ending;
  const begin = async () => {
    const { prefetchParts } = await fetchSilently(() => import("./prefetchParts"));
    await prefetchParts(signal);
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const listening = new AbortController();
  const restartTimer = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      listening.abort();
      void begin();
    }, IDLE_DELAY);
  };
  for (const each of INPUT_EVENTS) {
    window.addEventListener(each, restartTimer, {
      capture: true,
      passive: true,
      signal: listening.signal,
    });
  }
  restartTimer();
  return () => {
    clearTimeout(timer);
    listening.abort();
    ending.abort();
  };
}
