/** The choices of a combo that come from a route of this server. */
import { routeUrl } from "../../api/address";
import { client } from "../session/server";

/** Milliseconds between two attempts, doubled each time. */
const FIRST_DELAY = 500;
const MOST_ATTEMPTS = 5;

/**
 * Reads the choices; tries again as often as the node's author says.
 *
 * `remote` has `route`, and perhaps `timeout` in milliseconds, `max_retries`, `query_params` and
 * `response_key`, the key of the list in the answer.
 */
export async function readRemote(
  route: string,
  remote: Readonly<Record<string, unknown>>,
): Promise<readonly unknown[]> {
  const attempts = 1 + Math.min(numberOf(remote.max_retries) ?? 0, MOST_ATTEMPTS - 1);
  const limit = numberOf(remote.timeout);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await client.list(withQuery(route, remote.query_params), {
        ...(limit === null ? {} : { limit }),
        key: typeof remote.response_key === "string" ? remote.response_key : null,
      });
    } catch (error) {
      if (attempt >= attempts) throw error;
      await new Promise((done) => setTimeout(done, FIRST_DELAY * 2 ** (attempt - 1)));
    }
  }
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : null;
}

function withQuery(route: string, params: unknown): string {
  if (typeof params !== "object" || params === null) return route;
  const query = new URLSearchParams(
    Object.entries(params).map(([name, value]) => [name, String(value)]),
  ).toString();
  if (query === "") return route;
  return `${routeUrl(route)}${route.includes("?") ? "&" : "?"}${query}`;
}
