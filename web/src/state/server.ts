/** The one client of this page. */
import { makeClient } from "../api/client";
import { makeJournals } from "../api/journals";
import { makeLibrary } from "../api/library";
import { parseJson, writeJson } from "../document/json";

const KEY = "calotype.client";

/** The window's name: the same after a reload, so that a run that goes on is still heard. */
export let clientId: string = globalThis.sessionStorage?.getItem(KEY) ?? crypto.randomUUID();
globalThis.sessionStorage?.setItem(KEY, clientId);

/** Another name, where a second window has this one. */
export function renewClient(): string {
  clientId = crypto.randomUUID();
  sessionStorage.setItem(KEY, clientId);
  return clientId;
}

const codec = { parse: parseJson, write: writeJson };

export const client = makeClient(codec);
export const journals = makeJournals(codec);
export const library = makeLibrary(codec);
