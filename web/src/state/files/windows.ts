/**
 * The open windows of this browser and the documents they hold, as locks that the browser releases
 * when a window is gone, however it ended. The server knows the windows of all browsers.
 */
import { clientId, renewClient } from "../session/server";

const WINDOW = "calotype.window.";
const DOCUMENT = "calotype.document.";
/** In milliseconds: a page that is being reloaded holds its lock for a moment longer. */
const LOCK_TIMEOUT = 400;

/**
 * Makes this window's id unique, as a duplicated tab copies the session storage of the original.
 */
export async function claimWindow(): Promise<void> {
  if (
    navigator.locks === undefined ||
    (await requestLock(WINDOW + clientId, LOCK_TIMEOUT)) !== null
  )
    return;
  await requestLock(WINDOW + renewClient(), LOCK_TIMEOUT);
}

/** Locks a document until the returned function is called; null where another window holds it. */
export async function lockDocument(id: string): Promise<(() => void) | null> {
  return navigator.locks === undefined ? () => undefined : requestLock(DOCUMENT + id, LOCK_TIMEOUT);
}

/** The ids of the documents held by all windows of this browser. */
export async function lockedDocuments(): Promise<ReadonlySet<string>> {
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  const names = held.flatMap(({ name = "" }) => (name.startsWith(DOCUMENT) ? [name] : []));
  return new Set(names.map((name) => name.slice(DOCUMENT.length)));
}

function requestLock(name: string, timeout: number): Promise<(() => void) | null> {
  return new Promise((done, fail) => {
    navigator.locks
      .request(name, { signal: AbortSignal.timeout(timeout) }, () => {
        return new Promise<void>((release) => done(() => release()));
      })
      .catch((error: unknown) => {
        if (error instanceof DOMException) done(null);
        else fail(error);
      });
  });
}
