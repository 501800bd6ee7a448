/** The page's clients of the server. */
import { makeClient } from "../../api/client";
import { makeJournals } from "../../api/journals";
import { makeLibrary } from "../../api/library";
import { parseJson, writeJson } from "../../document/json";

const KEY = "calotype.client";

/**
 * The id of this window. It survives a reload, so that events of a running job are still received.
 */
export let clientId: string = globalThis.sessionStorage?.getItem(KEY) ?? crypto.randomUUID();
globalThis.sessionStorage?.setItem(KEY, clientId);

/** Makes a new id, where a second window has the same one. */
export function renewClient(): string {
  clientId = crypto.randomUUID();
  sessionStorage.setItem(KEY, clientId);
  return clientId;
}

const codec = { parse: parseJson, write: writeJson };

export const client = makeClient(codec);
export const journals = makeJournals(codec);
export const library = makeLibrary(codec);
