/** Earlier versions of the open document: kept at intervals of work, looked at, taken up again. */
import type { Version } from "../../api/library";
import { parseJson, writeJson } from "../../document/json";
import { readGraph } from "../../document/read";
import { replaceWith } from "../../document/restore";
import { writeGraph } from "../../document/write";
import { t } from "../../words/words";
import { library } from "../server";
import { edit, isDirty, layout, openWorkflow, type Tab, useStudio } from "../studio";
import { notify } from "../view";

/** A version is kept by itself after so much time in which something was edited. */
const INTERVAL = 5 * 60_000;

interface Kept {
  workflow: Tab["workflow"];
  at: number;
}

/** Keeps versions of what is being worked on. Returns what ends it. */
export function watchVersions(): () => void {
  const kept = new Map<string, Kept>();
  return useStudio.subscribe(({ tabs }) => {
    for (const tab of tabs) {
      const last = kept.get(tab.id);
      if (last === undefined) kept.set(tab.id, { workflow: tab.workflow, at: Date.now() });
      if (last === undefined || last.workflow === tab.workflow || !isDirty(tab)) continue;
      if (Date.now() - last.at < INTERVAL) continue;
      kept.set(tab.id, { workflow: tab.workflow, at: Date.now() });
      storeVersion(tab).catch(() => {
        // The journal has every edit; a version is only a mark in it, and the next one comes.
      });
    }
    if (kept.size > tabs.length) {
      const open = new Set(tabs.map((each) => each.id));
      for (const id of kept.keys()) if (!open.has(id)) kept.delete(id);
    }
  });
}

function storeVersion(tab: Tab): Promise<void> {
  const label = tab.log.done.at(-1)?.label ?? "";
  return library.keepVersion(tab.path ?? tab.id, writeJson(writeGraph(tab.workflow)), label);
}

/** All names under which versions of a document may lie. */
export function namesOf(tab: Tab): string[] {
  return tab.path === null ? [tab.id] : [tab.path, tab.id];
}

/** A version as a document; throws what cannot be read. */
export async function readVersion(version: Version): Promise<Tab["workflow"]> {
  const text = await library.version(version);
  if (text === null) throw new Error(t("This version is not there any more."));
  return readGraph(parseJson(text), layout);
}

export async function openVersion(version: Version, name: string): Promise<void> {
  const text = await library.version(version);
  if (text === null) throw new Error(t("This version is not there any more."));
  openWorkflow(parseJson(text), { name });
}

/** Puts a version in the place of what the open document is; undo brings that back. */
export function restoreVersion(workflow: Tab["workflow"]): void {
  edit("Go back to a version", (_, whole) => replaceWith(whole, workflow));
  notify(t("The earlier version is restored. Undo takes that back."));
}
