/**
 * Brings to the server what an earlier page could not bring itself before it went. Where another
 * browser has taken the document over meanwhile, both are kept: this browser's as one of its own.
 */
import { conflictOf, type JournalServer } from "../../api/journals";
import { type Replayed, replay, snapshotLine } from "../../document/journal";
import { isObject, parseJson } from "../../document/json";
import { t } from "../../words/words";
import { notify, notifyError } from "../view";
import type { Mirror, Unsent } from "./mirror";

type Server = Pick<JournalServer, "append" | "replace">;

/** A document that went two ways. */
export interface DivergedDocument {
  /** The one that the server has, and the one that this browser had. */
  id: string;
  copy: string;
  name: string;
  copyName: string;
}

/** Sends what was left; the copies belong to `window`. */
export async function sendUnsent(
  left: readonly [string, Unsent][],
  window: string,
  { mirror, server }: { mirror: Mirror; server: Server },
): Promise<DivergedDocument[]> {
  const parted: DivergedDocument[] = [];
  for (const [id, unsent] of left) {
    try {
      if (!(await isTaken(id, unsent, server))) {
        const copy = await sendCopy(id, unsent, window, server);
        if (copy !== null) parted.push(copy);
      }
      await mirror.drop(id);
    } catch (error) {
      // It stays here, and is tried again at the next start.
      notifyError(error);
    }
  }
  return parted;
}

/** Whether the server has the lines now; false where the document is no longer that window's. */
async function isTaken(id: string, { window, owner, lines }: Unsent, server: Server) {
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
        "Some edits that were made while the server was away belong to a document that no longer exists.",
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
  // One that was closed is found among those that were.
  return tab.closed === null ? { id, copy, name, copyName } : null;
}

/** The document as this browser had it; null where only what changed is here. */
export function replayUnsent({ lines, whole }: Unsent): Replayed | null {
  if (whole === undefined) return replay(lines.join(""));
  const { n } = numberAndKind(whole);
  return replay(whole + lines.filter((line) => numberAndKind(line).n > n).join(""));
}

function numberAndKind(line: string): { n: number; kind: string } {
  const value = parseJson(line);
  return isObject(value) ? { n: Number(value.n), kind: String(value.kind) } : { n: 0, kind: "" };
}
