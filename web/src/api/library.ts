/**
 * A typed client of the user's saved workflows on the server, and of their earlier versions. Files
 * are handled as text.
 */
import { type Codec, makeTransport, nullIfNotFound, type Transport } from "./transport";

export interface SavedFile {
  /** Relative to the folder that was listed. */
  path: string;
  size: number;
  /** Milliseconds since 1970. */
  modified: number;
}

export interface StoredText {
  text: string;
  /** The server's version stamp of this content (ETag). */
  stamp: string | null;
}

interface SaveAs {
  overwrite: boolean;
  /** Overwrite only the content with this stamp; otherwise the server answers 412. */
  onlyOver?: string | null;
  /** The label of the last edit, for the list of versions. */
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

export function makeLibrary(codec: Codec, fetchImpl?: typeof fetch) {
  const transport = makeTransport(codec, fetchImpl);
  return { ...workflowRoutes(transport), ...versionRoutes(transport) };
}

function workflowRoutes({ request, read }: Transport) {
  const fileAt = (path: string) => `${FILES}/${encodeURIComponent(path)}`;

  return {
    /** The files of a folder, recursively; none where the folder does not exist. */
    async list(folder: string): Promise<SavedFile[]> {
      const query = new URLSearchParams({ dir: folder, recurse: "true", full_info: "true" });
      return (await nullIfNotFound(() => read<SavedFile[]>(`${FILES}?${query}`))) ?? [];
    },
    read(path: string): Promise<StoredText | null> {
      return nullIfNotFound(async () => {
        const answer = await request(fileAt(path));
        return { text: await answer.text(), stamp: answer.headers.get("ETag") };
      });
    },
    /** Returns the stamp of the new content. */
    async save(path: string, text: string, how: SaveAs): Promise<string | null> {
      const { overwrite, onlyOver, label = "" } = how;
      const query = new URLSearchParams({ overwrite: String(overwrite), label });
      const headers: Record<string, string> = onlyOver ? { "If-Match": onlyOver } : {};
      const answer = await request(`${fileAt(path)}?${query}`, {
        method: "POST",
        body: text,
        headers,
      });
      return answer.headers.get("ETag");
    },
    async move(path: string, target: string): Promise<void> {
      await request(`${fileAt(path)}/move/${encodeURIComponent(target)}`, { method: "POST" });
    },
  };
}

function versionRoutes({ request, read }: Transport) {
  return {
    /** The versions of a workflow under all the names it had, newest first. */
    versions(of: readonly string[]): Promise<Version[]> {
      return read(`${VERSIONS}?${new URLSearchParams(of.map((each) => ["of", each]))}`);
    },
    version({ of, when }: Pick<Version, "of" | "when">): Promise<string | null> {
      const query = new URLSearchParams({ of });
      return nullIfNotFound(async () => (await request(`${VERSIONS}/${when}?${query}`)).text());
    },
    async keepVersion(of: string, text: string, label: string): Promise<void> {
      const query = new URLSearchParams({ of, label });
      await request(`${VERSIONS}?${query}`, { method: "POST", body: text });
    },
  };
}
