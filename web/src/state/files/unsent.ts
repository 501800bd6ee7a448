/**
 * Sends lines that an earlier page could not send before it closed. Where another browser has taken
 * over the document meanwhile, both versions are kept: this browser's as a new document.
 */
import { conflictOf, type JournalServer } from "../../api/journals";
import { type Replayed, replay, snapshotLine } from "../../document/journal";
import { isObject, parseJson } from "../../document/json";
import { t } from "../../words/words";
import { notify, notifyError } from "../session/view";
import type { Mirror, Unsent } from "./mirror";

type Server = Pick<JournalServer, "append" | "replace">;

/** A document that was edited independently on two sides. */
export interface DivergedDocument {
  /** The ids of the server's document, and of the copy with this browser's edits. */
  id: string;
  copy: string;
  name: string;
  copyName: string;
}

/** Sends the unsent lines; copies will belong to `window`. */
export async function sendUnsent(
  left: readonly [string, Unsent][],
  window: string,
  { mirror, server }: { mirror: Mirror; server: Server },
): Promise<DivergedDocument[]> {
  const diverged: DivergedDocument[] = [];
  for (const [id, unsent] of left) {
    try {
      if (!(await isDelivered(id, unsent, server))) {
        const copy = await sendCopy(id, unsent, window, server);
        if (copy !== null) diverged.push(copy);
      }
      await mirror.drop(id);
    } catch (error) {
      // The lines stay in this browser, and are sent again at the next start.
      notifyError(error);
    }
  }
  return diverged;
}

/**
 * Whether the server has the lines now; false where the document no longer belongs to that window.
 */
async function isDelivered(id: string, { window, owner, lines }: Unsent, server: Server) {
  const [first] = lines;
  const last = lines.at(-1);
  if (first === undefined || last === undefined) return true;
  try {
    if (numberAndKind(first).kind !== "whole") await server.append(id, window, lines.join(""));
    else await server.replace(id, window, lines.join(""), owner ?? window);
    return true;
  } catch (error) {
    const conflict = conflictOf(error);
    if (conflict === null) throw error;
    return conflict.window === window && conflict.last >= numberAndKind(last).n;
  }
}

async function sendCopy(
  id: string,
  unsent: Unsent,
  window: string,
  server: Server,
): Promise<DivergedDocument | null> {
  const replayed = replayUnsent(unsent);
  if (replayed === null) {
    notify(
      t(
        "Some edits that were made while the server could not be reached belong to a document that no longer exists.",
      ),
    );
    return null;
  }
  const { graph, log } = replayed;
  const { name } = replayed.tab;
  const copyName = t("{{name}} (this browser's edits)", { name });
  const tab = { ...replayed.tab, window, name: copyName, path: null, stamp: null };
  const copy = crypto.randomUUID();
  await server.replace(copy, window, snapshotLine(1, { tab, graph, log, saved: false }));
  // A closed one is listed among the closed documents.
  return tab.closed === null ? { id, copy, name, copyName } : null;
}

/** The document as this browser had it; null where only changes are stored here. */
export function replayUnsent({ lines, whole }: Unsent): Replayed | null {
  if (whole === undefined) return replay(lines.join(""));
  const { n } = numberAndKind(whole);
  return replay(whole + lines.filter((line) => numberAndKind(line).n > n).join(""));
}

function numberAndKind(line: string): { n: number; kind: string } {
  const value = parseJson(line);
  return isObject(value) ? { n: Number(value.n), kind: String(value.kind) } : { n: 0, kind: "" };
}
