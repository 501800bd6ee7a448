/** Recently closed documents, newest first, for reopening. */
import { create } from "zustand";
import type { Tab } from "../session/studio";

export interface Closed {
  id: string;
  name: string;
  path: string | null;
  /** Milliseconds since 1970. */
  closed: number;
  /** Whether it had unsaved changes; null where unknown, for documents of other windows. */
  dirty: boolean | null;
  /** The document itself, where this window still holds it; otherwise it is on the server. */
  tab: Tab | null;
}

/** The number held in this window; the server stores more. */
const MAX_CLOSED = 10;

export const useClosed = create<{ closed: readonly Closed[] }>(() => ({ closed: [] }));

export function recordClosed(added: Closed): void {
  useClosed.setState(({ closed }) => ({
    closed: [added, ...closed.filter((each) => each.id !== added.id)].slice(0, MAX_CLOSED),
  }));
}

/** Releases this window's copy of a closed document, which is on the server too. */
export function dropClosedCopy(id: string): void {
  useClosed.setState(({ closed }) => ({
    closed: closed.map((each) => (each.id === id ? { ...each, tab: null } : each)),
  }));
}

export function removeClosed(id: string): void {
  useClosed.setState(({ closed }) => ({ closed: closed.filter((each) => each.id !== id) }));
}
