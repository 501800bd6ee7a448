/** The server's log: read when the panel opens, then live. */
import { create } from "zustand";
import type { LogEntry } from "../../api/types";
import { client, clientId } from "./server";

/** As many as the panel shows. */
const MOST = 2_000;

export const useLogs = create<{ entries: readonly LogEntry[] }>(() => ({ entries: [] }));

/** Reads the log, and has the server send new lines. Returns a function that ends it. */
export function followLogs(onError: (error: unknown) => void): () => void {
  const subscribe = (enabled: boolean) =>
    client.subscribeToLogs(clientId, enabled).catch(enabled ? onError : () => undefined);
  void subscribe(true);
  client.logs().then(({ entries }) => useLogs.setState({ entries: entries.slice(-MOST) }), onError);
  return () => void subscribe(false);
}

export function addLogs(added: readonly LogEntry[]): void {
  useLogs.setState(({ entries }) => ({ entries: [...entries, ...added].slice(-MOST) }));
}
