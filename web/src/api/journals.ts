/** A typed client of the server's journals of open documents: numbered lines, not parsed here. */
import { type Codec, HttpError, makeTransport, nullIfNotFound } from "./transport";

export interface JournalInfo {
  id: string;
  /** The `tab` of the newest line that has one. */
  tab: unknown;
  size: number;
  /** Milliseconds since 1970. */
  modified: number;
  /** Whether the window that owns it is connected. */
  alive: boolean;
}

/** The body of a refusal (409): the number of the last stored line, and the owner window. */
interface JournalConflict {
  last: number;
  window: string | null;
}

export type JournalServer = ReturnType<typeof makeJournals>;

const FOLDER = "/api/calotype/journals";

export function makeJournals(codec: Codec, fetchImpl?: typeof fetch) {
  const { request, read } = makeTransport(codec, fetchImpl);
  async function send(
    method: "POST" | "PUT",
    id: string,
    query: Record<string, string>,
    body: string,
    keepalive: boolean,
  ): Promise<void> {
    await request(`${FOLDER}/${id}?${new URLSearchParams(query)}`, { method, body, keepalive });
  }

  return {
    list: () => read<JournalInfo[]>(FOLDER),
    /** The lines of a journal; null where it does not exist. */
    read: (id: string) => nullIfNotFound(async () => (await request(`${FOLDER}/${id}`)).text()),
    append: (id: string, window: string, lines: string, keepalive = false) =>
      send("POST", id, { window }, lines, keepalive),
    /** `owner`: the previous owner; the server refuses where another window owns the journal. */
    replace: (
      id: string,
      window: string,
      lines: string,
      owner: string | null = null,
      keepalive = false,
    ) => send("PUT", id, owner === null ? { window } : { window, owner }, lines, keepalive),
    async remove(id: string): Promise<void> {
      await request(`${FOLDER}/${id}`, { method: "DELETE" });
    },
  };
}

export function conflictOf(error: unknown): JournalConflict | null {
  if (!(error instanceof HttpError) || error.status !== 409) return null;
  const { last, window } = (error.body ?? {}) as Partial<JournalConflict>;
  return { last: typeof last === "number" ? last : 0, window: window ?? null };
}
