/** The one client of this page. */
import { makeClient } from "../api/client";
import { parseJson, writeJson } from "../document/json";

const KEY = "calotype.client";

/** The same after a reload, so that a run that goes on is still heard. */
export const clientId: string = globalThis.sessionStorage?.getItem(KEY) ?? crypto.randomUUID();
globalThis.sessionStorage?.setItem(KEY, clientId);

export const client = makeClient({ parse: parseJson, write: writeJson });
