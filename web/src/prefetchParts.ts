/** The parts of the editor that are prefetched: see `prefetch.ts`. Two heavy ones are not. */
import { missingForTemplate, TEMPLATES } from "./state/files/templates";
import { fetchSilently } from "./widgets/fetchWithRetry";
import { parts } from "./widgets/part";

type Fetch = () => Promise<unknown>;

/** Those that bring parts of their own first. */
const ROOMS: readonly Fetch[] = [
  () => import("./panels/lazyPanels"),
  () => import("./canvas/laterParts"),
  () => import("./state/commands/all"),
];

/** What is no part of the screen, and fetched by what needs it. */
const OTHERS: readonly Fetch[] = [
  () => import("./state/editing/framing"),
  () => import("./state/editing/autoLayout"),
  () => import("./state/files/opening"),
  () => import("./state/fields/completions"),
  () => import("./state/results/history"),
  () => import("./state/results/results"),
  () => import("micromark"),
  () => import("micromark-extension-gfm"),
  // It reads their files.
  () => Promise.all(TEMPLATES.map(missingForTemplate)),
];

/** One after the other, each when there is nothing else to do. */
export async function prefetchParts(signal: AbortSignal): Promise<void> {
  const fetchOne = async (fetchPart: Fetch) => {
    await idle();
    if (!signal.aborted) await fetchSilently(fetchPart);
  };
  for (const each of ROOMS) await fetchOne(each);
  // Those that come with one of them are among them by then.
  for (const each of parts) await fetchOne(each);
  for (const each of OTHERS) await fetchOne(each);
}

function idle(): Promise<void> {
  return new Promise((done) => {
    if ("requestIdleCallback" in window) requestIdleCallback(() => done());
    else setTimeout(done, 200);
  });
}
