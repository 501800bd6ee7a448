/**
 * Journal lines that the server has not acknowledged yet, stored in this browser, so that edits
 * made while the server is unreachable survive the page. Lines are not parsed here.
 */
import { createStore, del, entries, set, type UseStore } from "idb-keyval";

export interface Unsent {
  window: string;
  /** The document's owner according to the server's last response; null for none. */
  owner?: string | null;
  /** Consecutive lines; the first may be a whole document. */
  lines: readonly string[];
  /**
   * A line with the whole document, from when the server stopped answering; lines with higher
   * numbers follow it. With it, edits can be restored without the server's own journal.
   */
  whole?: string;
}

export interface Mirror {
  put(id: string, unsent: Unsent): Promise<void>;
  drop(id: string): Promise<void>;
  all(): Promise<[string, Unsent][]>;
}

/** Rejects with the browser's error where storage is full, or disabled as in private windows. */
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
