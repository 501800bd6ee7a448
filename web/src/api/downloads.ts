/** A typed client of the server's downloads, and of what workflows need. */
import { type Codec, makeTransport } from "./transport";
import type { DownloadState } from "./types";

/** A model file that a workflow names. */
export interface ModelNeed {
  name: string;
  /** The folder below `models/`; null where nothing says it. */
  kind: string | null;
  here: boolean;
  /** Pairs of a node's id in prompts and the name of its input. */
  nodes: [string, string][];
  /** Files of that folder whose names differ only by subfolder or case. */
  offers: string[];
  url: string | null;
  sha256: string | null;
  size: number | null;
  license: string | null;
  /** The host to allow; null where the file cannot be downloaded, `problem` says why. */
  host: string | null;
  folder: string | null;
  /** To be confirmed before the download. */
  warning: string | null;
  problem: string | null;
}

/** A pack that a workflow names; `missing` are classes that are not installed, with their nodes. */
export interface PackNeed {
  name: string;
  repository: string | null;
  version: string | null;
  classes: string[];
  missing: Record<string, string[]>;
  modules: string[];
  /** The version that is here, or the beginning of its commit; empty where unknown, null: none. */
  installed: string | null;
  /** What is here, against what the workflow was made with; null where it is the same or unknown. */
  differs: "older" | "newer" | "other" | null;
}

export interface Needs {
  models: ModelNeed[];
  packs: PackNeed[];
  /** Missing classes of which the file names no pack, with their nodes. */
  unknown: Record<string, string[]>;
  omitted: number;
}

export interface AllowedHost {
  host: string;
  private: boolean;
}

/** What a host says of a file; sizes in bytes. */
export interface Facts {
  size: number | null;
  sha256: string | null;
  license: string | null;
}

interface Listed {
  downloads: DownloadState[];
  hosts: AllowedHost[];
  /** That are not part of the program, and that text encoders may need. */
  tokenizers: ModelNeed[];
}

interface Wanted {
  name: string;
  kind: string;
  url: string;
  sha256?: string;
  license?: string;
  confirmed?: boolean;
}

export type DownloadAction = "pause" | "resume" | "cancel";

const DOWNLOADS = "/api/calotype/downloads";
/** In milliseconds; hosts may be slow. */
const LOOK_LIMIT = 30_000;

export function makeDownloads(codec: Codec, fetchImpl?: typeof fetch) {
  const { read, post, exchange } = makeTransport(codec, fetchImpl);
  return {
    list: () => read<Listed>(DOWNLOADS),
    add: (wanted: Wanted) => exchange<DownloadState>(DOWNLOADS, wanted),
    act: (id: string, action: DownloadAction) =>
      post(`${DOWNLOADS}/${encodeURIComponent(id)}`, { action }),
    allow: (host: string, change: { private?: boolean; allowed?: boolean } = {}) =>
      exchange<{ hosts: AllowedHost[] }>(`${DOWNLOADS}/hosts`, { host, ...change }),
    look: (url: string) => exchange<Facts>(`${DOWNLOADS}/look`, { url }, { limit: LOOK_LIMIT }),
  };
}
