/** The parts of the editor that are prefetched; see `prefetch.ts`. Two heavy ones are left out. */
import { TEMPLATES, textOf } from "./state/files/templates";
import { fetchSilently } from "./widgets/fetchWithRetry";
import { parts } from "./widgets/part";

type Fetch = () => Promise<unknown>;

/** First, the modules that register parts of their own. */
const PART_MODULES: readonly Fetch[] = [
  () => import("./panels/lazyPanels"),
  () => import("./canvas/laterParts"),
  () => import("./state/commands/all"),
];

/** Modules outside the screen, loaded by the features that use them. */
const OTHER_MODULES: readonly Fetch[] = [
  () => import("./state/editing/framing"),
  () => import("./state/editing/autoLayout"),
  () => import("./state/files/opening"),
  () => import("./state/fields/completions"),
  () => import("./state/outcomes/history"),
  () => import("./state/results/results"),
  () => import("micromark"),
  () => import("micromark-extension-gfm"),
  // Fetches the templates' files.
  () => Promise.all(TEMPLATES.map(textOf)),
];

/** Fetches one after the other, each when the browser is idle. */
export async function prefetchParts(signal: AbortSignal): Promise<void> {
  const fetchOne = async (fetchPart: Fetch) => {
    await idle();
    if (!signal.aborted) await fetchSilently(fetchPart);
  };
  for (const each of PART_MODULES) await fetchOne(each);
  // Includes the parts that the modules above registered.
  for (const each of parts) await fetchOne(each);
  for (const each of OTHER_MODULES) await fetchOne(each);
}

function idle(): Promise<void> {
  return new Promise((done) => {
    if ("requestIdleCallback" in window) requestIdleCallback(() => done());
    else setTimeout(done, 200);
  });
}
