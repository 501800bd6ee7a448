/** Earlier versions of the open document: saved at intervals of work, viewed, restored. */

import type { Version } from "../../api/library";
import { writtenLabel } from "../../document/editLabel";
import { parseJson, writeJson } from "../../document/json";
import { readGraph } from "../../document/read";
import { replaceWith } from "../../document/restore";
import { writeGraph } from "../../document/write";
import { t } from "../../words/words";
import type { Editor } from "../session/editor";
import { library } from "../session/server";
import { edit, isDirty, layout, openWorkflow, type Tab, useStudio } from "../session/studio";
import { notify } from "../session/view";

/**
 * In milliseconds: the interval at which versions of an edited document are saved automatically.
 */
const INTERVAL = 5 * 60_000;

interface StoredVersion {
  workflow: Tab["workflow"];
  at: number;
}

/** Starts saving versions. Returns a function that ends it. */
export function watchVersions(): () => void {
  const stored = new Map<string, StoredVersion>();
  return useStudio.subscribe(({ tabs }) => {
    for (const tab of tabs) {
      const last = stored.get(tab.id);
      if (last === undefined) stored.set(tab.id, { workflow: tab.workflow, at: Date.now() });
      if (last === undefined || last.workflow === tab.workflow || !isDirty(tab)) continue;
      if (Date.now() - last.at < INTERVAL) continue;
      stored.set(tab.id, { workflow: tab.workflow, at: Date.now() });
      saveVersion(tab).catch(() => {
        // A failure is harmless: the journal has every edit, and the next version is tried later.
      });
    }
    if (stored.size > tabs.length) {
      const open = new Set(tabs.map((each) => each.id));
      for (const id of stored.keys()) if (!open.has(id)) stored.delete(id);
    }
  });
}

function saveVersion(tab: Tab): Promise<void> {
  const label = writtenLabel(tab.log.done.at(-1)?.label ?? "");
  return library.keepVersion(tab.path ?? tab.id, writeJson(writeGraph(tab.workflow)), label);
}

/** All names under which the server may have versions of a document. */
export function namesOf(tab: Tab): string[] {
  return tab.path === null ? [tab.id] : [tab.path, tab.id];
}

/** A version as a document; throws where it cannot be read. */
export async function readVersion(version: Version): Promise<Tab["workflow"]> {
  const text = await library.version(version);
  if (text === null) throw new Error(t("This version no longer exists."));
  return readGraph(parseJson(text), layout);
}

export async function openVersion(version: Version, name: string): Promise<void> {
  const text = await library.version(version);
  if (text === null) throw new Error(t("This version no longer exists."));
  openWorkflow(parseJson(text), { name });
}

/** Replaces the open document by a version; this can be undone. */
export function restoreVersion(editor: Editor, workflow: Tab["workflow"]): void {
  edit(editor, "Restore a version", (_, whole) => replaceWith(whole, workflow));
  notify(t("The earlier version is restored. Undo returns to the current one."));
}
