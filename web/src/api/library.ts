/**
 * The user's saved workflows on the server, and their earlier versions, typed. Knows files and
 * texts, not what a workflow is.
 */
import { type Codec, Refused } from "./client";

export interface SavedFile {
  /** Below the folder that was listed. */
  path: string;
  size: number;
  /** Milliseconds since 1970. */
  modified: number;
}

export interface Stamped {
  text: string;
  /** What the server calls this content; another content has another. */
  stamp: string | null;
}

interface SaveAs {
  overwrite: boolean;
  /** Only over the content of that stamp; otherwise 412. */
  onlyOver?: string | null;
  /** The last edit, for the list of versions. */
  label?: string;
}

export interface Version {
  /** The path of the workflow, or the id of a document that was never saved. */
  of: string;
  when: number;
  nodes: number | null;
  label: string;
  kind: "save" | "auto" | "replaced";
  size: number;
}

const FILES = "/api/userdata";
const VERSIONS = "/api/calotype/versions";

export function makeLibrary(codec: Codec, request: typeof fetch = (...given) => fetch(...given)) {
  async function ask(url: string, init?: RequestInit): Promise<Response> {
    const answer = await request(url, init);
    if (answer.ok) return answer;
    const text = await answer.text();
    throw new Refused(answer.status, messageOf(text) ?? `${answer.status} for ${url}`, text);
  }

  function messageOf(text: string): string | null {
    try {
      const { error } = codec.parse(text) as { error?: unknown };
      return typeof error === "string" ? error : null;
    } catch (error) {
      if (error instanceof SyntaxError) return null;
      throw error;
    }
  }

  async function orNull<Found>(wanted: () => Promise<Found>): Promise<Found | null> {
    try {
      return await wanted();
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return null;
      throw error;
    }
  }

  const fileAt = (path: string) => `${FILES}/${encodeURIComponent(path)}`;

  return {
    /** The files of a folder and those below it; none where there is no such folder. */
    async list(folder: string): Promise<SavedFile[]> {
      const query = new URLSearchParams({ dir: folder, recurse: "true", full_info: "true" });
      const found = await orNull(async () => (await ask(`${FILES}?${query}`)).text());
      return found === null ? [] : (codec.parse(found) as SavedFile[]);
    },
    read(path: string): Promise<Stamped | null> {
      return orNull(async () => {
        const answer = await ask(fileAt(path));
        return { text: await answer.text(), stamp: answer.headers.get("ETag") };
      });
    },
    /** Returns the stamp of what is there now. */
    async save(path: string, text: string, how: SaveAs): Promise<string | null> {
      const { overwrite, onlyOver, label = "" } = how;
      const query = new URLSearchParams({ overwrite: String(overwrite), label });
      const headers: Record<string, string> = onlyOver ? { "If-Match": onlyOver } : {};
      const answer = await ask(`${fileAt(path)}?${query}`, { method: "POST", body: text, headers });
      return answer.headers.get("ETag");
    },
    async move(path: string, target: string): Promise<void> {
      await ask(`${fileAt(path)}/move/${encodeURIComponent(target)}`, { method: "POST" });
    },
    /** Those of a workflow by all the names it had, newest first. */
    async versions(of: readonly string[]): Promise<Version[]> {
      const query = new URLSearchParams(of.map((each) => ["of", each]));
      return codec.parse(await (await ask(`${VERSIONS}?${query}`)).text()) as Version[];
    },
    version({ of, when }: Pick<Version, "of" | "when">): Promise<string | null> {
      const query = new URLSearchParams({ of });
      return orNull(async () => (await ask(`${VERSIONS}/${when}?${query}`)).text());
    },
    async keepVersion(of: string, text: string, label: string): Promise<void> {
      const query = new URLSearchParams({ of, label });
      await ask(`${VERSIONS}?${query}`, { method: "POST", body: text });
    },
  };
}
