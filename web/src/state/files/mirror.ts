/**
 * Journal lines that the server has not taken yet, kept in this browser: what is done while the
 * server is away outlives the page. Knows lines and whose they are.
 */
import { createStore, del, entries, set, type UseStore } from "idb-keyval";

export interface Unsent {
  window: string;
  /** Whose document it was when the server was last heard of; null where it was nobody's. */
  owner?: string | null;
  /** Following each other; the first may be a whole journal. */
  lines: readonly string[];
  /**
   * The document as it was when the server went away, as a whole line; the lines after its number
   * go on from it. Without the server's own journal, what was done comes back from here.
   */
  whole?: string;
}

export interface Mirror {
  put(id: string, unsent: Unsent): Promise<void>;
  drop(id: string): Promise<void>;
  all(): Promise<[string, Unsent][]>;
}

/** Throws what the browser throws where it has no room, or keeps nothing in private windows. */
export function makeMirror(): Mirror {
  let opened: UseStore | undefined;
  const store = () => {
    opened ??= createStore("calotype.journals", "unsent");
    return opened;
  };
  return {
    put: (id, unsent) => set(id, unsent, store()),
    drop: (id) => del(id, store()),
    all: () => entries<string, Unsent>(store()),
  };
}
