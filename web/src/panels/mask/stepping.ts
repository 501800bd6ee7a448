/** Long work in slices, between which the page draws and answers. */

/** The length of a slice, in milliseconds. */
const SLICE = 12;

/** Resolves after the page had its turn. */
export function afterTask(): Promise<void> {
  return new Promise((done) => setTimeout(done));
}

/**
 * Runs steps to their end, the first slice at once. `pause` is called after each slice; where it
 * returns false, the rest is not done.
 */
export async function inSlices(
  steps: Iterator<void, void, void>,
  pause: () => boolean,
): Promise<void> {
  for (;;) {
    const until = performance.now() + SLICE;
    do {
      if (steps.next().done === true) return;
    } while (performance.now() < until);
    if (!pause()) return;
    await afterTask();
  }
}
