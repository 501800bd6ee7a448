/**
 * Requests to the server, and errors for unsuccessful responses. The JSON codec is passed in,
 * because seeds exceed the range of JavaScript's numbers.
 */

import { routeUrl } from "./address";

export interface Codec {
  parse: (text: string) => unknown;
  write: (value: unknown) => string;
}

/** An unsuccessful response; `body` is its parsed content. */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly body: unknown,
  ) {
    super(message);
  }
}

/** In milliseconds, well above normal response times; a stalled server sends nothing at all. */
const TIME_LIMIT = 60_000;

interface RequestOptions extends RequestInit {
  /** The time limit in milliseconds, including the reading of the body. */
  limit?: number;
}

export interface Transport {
  /**
   * Throws `HttpError` for an unsuccessful response, and a `TimeoutError` where none arrives in
   * time; reading the response's body may throw the latter too.
   */
  request: (url: string, init?: RequestOptions) => Promise<Response>;
  read: <Answer>(url: string, init?: RequestOptions) => Promise<Answer>;
  post: (url: string, body: unknown, init?: RequestOptions) => Promise<Response>;
  /** Posts, and returns the parsed response. */
  exchange: <Answer>(url: string, body: unknown, init?: RequestOptions) => Promise<Answer>;
}

function within(limit: number, signal: AbortSignal | null | undefined): AbortSignal {
  const timeout = AbortSignal.timeout(limit);
  return signal == null ? timeout : AbortSignal.any([signal, timeout]);
}

export function makeTransport(
  codec: Codec,
  fetchImpl: typeof fetch = (...given) => fetch(...given),
): Transport {
  async function request(
    url: string,
    { limit = TIME_LIMIT, ...init }: RequestOptions = {},
  ): Promise<Response> {
    const response = await fetchImpl(routeUrl(url), {
      ...init,
      signal: within(limit, init.signal),
    });
    if (response.ok) return response;
    const body = bodyOf(await response.text());
    throw new HttpError(response.status, messageOf(body) ?? `${response.status} for ${url}`, body);
  }
  function bodyOf(text: string): unknown {
    try {
      return codec.parse(text);
    } catch (error) {
      if (error instanceof SyntaxError) return text;
      throw error;
    }
  }
  async function read<Answer>(url: string, init?: RequestOptions): Promise<Answer> {
    return codec.parse(await (await request(url, init)).text()) as Answer;
  }
  const posted = (body: unknown, init: RequestOptions = {}): RequestOptions => ({
    method: "POST",
    body: codec.write(body),
    headers: { "Content-Type": "application/json" },
    ...init,
  });
  return {
    request,
    read,
    post: (url, body, init) => request(url, posted(body, init)),
    exchange: (url, body, init) => read(url, posted(body, init)),
  };
}

/** The result; null where the server answers 404. */
export async function nullIfNotFound<Found>(wanted: () => Promise<Found>): Promise<Found | null> {
  try {
    return await wanted();
  } catch (error) {
    if (error instanceof HttpError && error.status === 404) return null;
    throw error;
  }
}

function messageOf(body: unknown): string | null {
  if (typeof body !== "object" || body === null || !("error" in body)) return null;
  const { error } = body as { error: unknown };
  if (typeof error === "string") return error;
  if (typeof error !== "object" || error === null) return null;
  const { message, details } = error as { message?: string; details?: string };
  return [message, details].filter(Boolean).join(": ") || null;
}
