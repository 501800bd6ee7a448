/**
 * The open windows of this browser and the documents they hold, as locks that the browser releases
 * when a window is gone, however it ended. The server knows the windows of all browsers.
 */
import { clientId, renewClient } from "../server";

const WINDOW = "calotype.window.";
const DOCUMENT = "calotype.document.";
/** In milliseconds: a page that is being reloaded holds its lock for a moment longer. */
const PATIENCE = 400;

/**
 * Makes this window's id unique, as a duplicated tab copies the session storage of the original.
 */
export async function claimWindow(): Promise<void> {
  if (navigator.locks === undefined || (await hold(WINDOW + clientId, PATIENCE)) !== null) return;
  await hold(WINDOW + renewClient(), PATIENCE);
}

/** Locks a document until the returned function is called; null where another window holds it. */
export async function holdDocument(id: string): Promise<(() => void) | null> {
  return navigator.locks === undefined ? () => undefined : hold(DOCUMENT + id, PATIENCE);
}

/** The ids of the documents held by all windows of this browser. */
export async function heldDocuments(): Promise<ReadonlySet<string>> {
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  const names = held.flatMap(({ name = "" }) => (name.startsWith(DOCUMENT) ? [name] : []));
  return new Set(names.map((name) => name.slice(DOCUMENT.length)));
}

function hold(name: string, patience: number): Promise<(() => void) | null> {
  return new Promise((done, fail) => {
    navigator.locks
      .request(name, { signal: AbortSignal.timeout(patience) }, () => {
        return new Promise<void>((release) => done(() => release()));
      })
      .catch((error: unknown) => {
        if (error instanceof DOMException) done(null);
        else fail(error);
      });
  });
}
