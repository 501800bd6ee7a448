/**
 * Which windows of this browser are there, and which documents are theirs: locks that the browser
 * takes back when a window is gone, however it went. The server knows the windows of all browsers.
 */
import { clientId, renewClient } from "../server";

const WINDOW = "calotype.window.";
const DOCUMENT = "calotype.document.";
/** A page that is being reloaded still has its lock for a moment. */
const PATIENCE = 400;

/** Makes this window the only one of its name: a duplicated tab brings its twin's along. */
export async function claimWindow(): Promise<void> {
  if (navigator.locks === undefined || (await hold(WINDOW + clientId, PATIENCE)) !== null) return;
  await hold(WINDOW + renewClient(), PATIENCE);
}

/** Holds a document until the answer is called; null where another window has it. */
export async function holdDocument(id: string): Promise<(() => void) | null> {
  return navigator.locks === undefined ? () => undefined : hold(DOCUMENT + id, PATIENCE);
}

/** Documents of all windows of this browser. */
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
