/** Documents that were closed a while ago, newest first: each can be taken up again. */
import { create } from "zustand";
import type { Tab } from "../studio";

export interface Closed {
  id: string;
  name: string;
  path: string | null;
  /** Milliseconds since 1970. */
  closed: number;
  /** Whether it was not saved; unknown for those of other windows. */
  dirty: boolean | null;
  /** The document itself, where this window still has it; otherwise the server has. */
  tab: Tab | null;
}

/** So many are held in this window; the server keeps more. */
const MOST = 10;

export const useClosed = create<{ closed: readonly Closed[] }>(() => ({ closed: [] }));

export function recordClosed(added: Closed): void {
  useClosed.setState(({ closed }) => ({
    closed: [added, ...closed.filter((each) => each.id !== added.id)].slice(0, MOST),
  }));
}

/** Leaves a closed document to the server alone. */
export function dropClosedCopy(id: string): void {
  useClosed.setState(({ closed }) => ({
    closed: closed.map((each) => (each.id === id ? { ...each, tab: null } : each)),
  }));
}

export function removeClosed(id: string): void {
  useClosed.setState(({ closed }) => ({ closed: closed.filter((each) => each.id !== id) }));
}
