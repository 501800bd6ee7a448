/**
 * The server's journals of open documents, typed. Knows that they are numbered lines, not what a
 * line means.
 */
import { type Codec, Refused } from "./client";

export interface JournalInfo {
  id: string;
  /** What the newest line with a `tab` said. */
  tab: unknown;
  size: number;
  /** Milliseconds since 1970. */
  modified: number;
  /** Whether the window that has it is connected. */
  alive: boolean;
}

/** Why lines were refused (409): what is there, and whose it is. */
interface JournalConflict {
  last: number;
  window: string | null;
}

export type JournalServer = ReturnType<typeof makeJournals>;

const FOLDER = "/api/calotype/journals";

export function makeJournals(codec: Codec, request: typeof fetch = (...given) => fetch(...given)) {
  async function ask(path: string, init?: RequestInit): Promise<Response> {
    const answer = await request(`${FOLDER}${path}`, init);
    if (answer.ok) return answer;
    const body = bodyOf(await answer.text());
    throw new Refused(
      answer.status,
      messageOf(body) ?? `${answer.status} for journals${path}`,
      body,
    );
  }

  function bodyOf(text: string): unknown {
    try {
      return codec.parse(text);
    } catch (error) {
      if (error instanceof SyntaxError) return text;
      throw error;
    }
  }

  function send(method: "POST" | "PUT") {
    return async (id: string, window: string, lines: string, keepalive = false) => {
      const query = new URLSearchParams({ window });
      await ask(`/${id}?${query}`, { method, body: lines, keepalive });
    };
  }

  return {
    async list(): Promise<JournalInfo[]> {
      return codec.parse(await (await ask("")).text()) as JournalInfo[];
    },
    /** The lines of one; null where there is none. */
    async read(id: string): Promise<string | null> {
      try {
        return await (await ask(`/${id}`)).text();
      } catch (error) {
        if (error instanceof Refused && error.status === 404) return null;
        throw error;
      }
    },
    append: send("POST"),
    replace: send("PUT"),
    async remove(id: string): Promise<void> {
      await ask(`/${id}`, { method: "DELETE" });
    },
  };
}

function messageOf(body: unknown): string | null {
  const { error } = (body ?? {}) as { error?: unknown };
  return typeof error === "string" ? error : null;
}

export function conflictOf(error: unknown): JournalConflict | null {
  if (!(error instanceof Refused) || error.status !== 409) return null;
  const { last, window } = (error.body ?? {}) as Partial<JournalConflict>;
  return { last: typeof last === "number" ? last : 0, window: window ?? null };
}
