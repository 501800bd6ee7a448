/** The one client of this page. */
import { makeClient } from "../api/client";
import { parseJson, writeJson } from "../document/json";

export const clientId: string = crypto.randomUUID();
export const client = makeClient({ parse: parseJson, write: writeJson });
