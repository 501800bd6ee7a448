/**
 * Saving and opening the user's workflows. A file that was changed elsewhere is never replaced
 * without asking, and a file that cannot be read is never replaced.
 */

import { create } from "zustand";
import { fileNameFor } from "../../api/fileName";
import type { StoredText } from "../../api/library";
import { HttpError } from "../../api/transport";
import { writtenLabel } from "../../document/editLabel";
import { parseJson, writeJson } from "../../document/json";
import { NotAWorkflowError } from "../../document/read";
import { writeGraph } from "../../document/write";
import { t } from "../../words/words";
import { askChoice, askText } from "../session/ask";
import type { Editor } from "../session/editor";
import { lastPart, nameOf, nameProblem, pathOf } from "../session/paths";
import { library } from "../session/server";
import { changeTab, openWorkflow, showTab, type Tab, useStudio } from "../session/studio";
import { notify, notifyError, openSheet } from "../session/view";
import { notifyDamage } from "./damage";

/** A saved file that differs from what its tab was opened from or saved as. */
interface Conflict {
  /** The file's current content. */
  theirs: StoredText;
}

/** By the ids of tabs. */
export const useConflicts = create<{ conflicts: Readonly<Record<string, Conflict>> }>(() => ({
  conflicts: {},
}));

/** Removes what is stored of a document that was closed. */
export function forgetConflicts(tab: string): void {
  useConflicts.setState(({ conflicts: { [tab]: _closed, ...conflicts } }) => ({ conflicts }));
}

function textOf(workflow: Tab["workflow"]): string {
  return writeJson(writeGraph(workflow), 1);
}

/** Saves the open document; asks for a name where it has none. False where the user cancelled. */
export async function save(editor: Editor, as = false): Promise<boolean> {
  const tab = editor.tab;
  const { path } = tab;
  try {
    return path === null || as
      ? await saveAs(tab, suggestedFor(tab))
      : await afterPendingSaves(tab, (now) => saveOver(now, path));
  } catch (error) {
    notifySaveFailure(error);
    return false;
  }
}

const pendingSaves = new Map<string, Promise<boolean>>();

/** Runs saves of one document in sequence, as each needs the stamp of the one before. */
async function afterPendingSaves(tab: Tab, save: (now: Tab) => Promise<boolean>): Promise<boolean> {
  const before = pendingSaves.get(tab.id) ?? Promise.resolve(true);
  const follow = () => save(useStudio.getState().tabs.find(({ id }) => id === tab.id) ?? tab);
  const mine = before.then(follow, follow);
  pendingSaves.set(tab.id, mine);
  try {
    return await mine;
  } finally {
    if (pendingSaves.get(tab.id) === mine) pendingSaves.delete(tab.id);
  }
}

/** Where the server is unreachable, a notice explains it; the edits are in the journal anyway. */
function notifySaveFailure(error: unknown): void {
  const isOffline = error instanceof TypeError;
  notifyError(
    isOffline
      ? new Error(
          t(
            "The server cannot be reached, so nothing was saved. Your work is kept in this browser.",
          ),
        )
      : error,
  );
}

function suggestedFor({ name, path }: Tab): string {
  return path === null ? name.split("/").map(fileNameFor).join("/") : nameOf(path);
}

async function saveAs(tab: Tab, suggested: string, problem?: string): Promise<boolean> {
  const field = { label: t("Name"), value: suggested };
  const why = problem ?? t("Use a slash for a folder, as in portraits/first.");
  const given = await askText(t("Save the workflow as"), field, t("Save"), why);
  const name = given?.replace(/\.json$/, "").replace(/^\/+|\/+$/g, "");
  if (!name) return false;
  const nameFault = nameProblem(name);
  if (nameFault !== null) return saveAs(tab, name, nameFault);
  const path = pathOf(name);
  if (path === tab.path) return saveOver(tab, path);
  if (await writeFile(tab, path, { overwrite: false })) return true;
  const choice = await askChoice(
    t("There is a workflow called {{name}} already", { name }),
    t("If you replace it, the current file is kept as a version."),
    [
      { id: "replace", label: t("Replace it") },
      { id: "other", label: t("Choose another name") },
    ],
  );
  if (choice === null) return false;
  if (choice === "other") return saveAs(tab, name);
  return writeFile(tab, path, { overwrite: true });
}

/** False where the name is taken by another file. */
async function writeFile(
  tab: Tab,
  path: string,
  how: { overwrite: boolean; onlyOver?: string | null },
): Promise<boolean> {
  const label = writtenLabel(tab.log.done.at(-1)?.label ?? "");
  try {
    const stamp = await library.save(path, textOf(tab.workflow), { ...how, label });
    changeTab(tab.id, () => ({
      path,
      name: lastPart(nameOf(path)),
      stamp,
      savedWorkflow: tab.workflow,
    }));
    endConflict(tab.id);
    announce(path, stamp);
    return true;
  } catch (error) {
    if (error instanceof HttpError && error.status === 409) return false;
    throw error;
  }
}

async function saveOver(tab: Tab, path: string): Promise<boolean> {
  try {
    return await writeFile(tab, path, { overwrite: true, onlyOver: tab.stamp });
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== 412) throw error;
  }
  const theirs = await library.read(path);
  if (theirs === null) return writeFile(tab, path, { overwrite: false });
  const isOurs = theirs.text === textOf(tab.savedWorkflow) || theirs.text === textOf(tab.workflow);
  if (isOurs) return writeFile(tab, path, { overwrite: true, onlyOver: theirs.stamp });
  useConflicts.setState(({ conflicts }) => ({ conflicts: { ...conflicts, [tab.id]: { theirs } } }));
  return false;
}

export function endConflict(id: string): void {
  useConflicts.setState(({ conflicts }) => {
    const { [id]: _, ...left } = conflicts;
    return { conflicts: left };
  });
}

/** Replaces the file that was changed elsewhere; its content stays among the versions. */
export async function overwriteOtherVersion(tab: Tab, { theirs }: Conflict): Promise<void> {
  if (tab.path === null) return;
  await writeFile(tab, tab.path, { overwrite: true, onlyOver: theirs.stamp }).catch(
    notifySaveFailure,
  );
}

/** Saves under a free name; the other file is not changed. */
export async function saveAsCopy(tab: Tab): Promise<void> {
  if (tab.path === null) return;
  const name = nameOf(tab.path);
  try {
    for (let number = 2; ; number += 1) {
      if (await writeFile(tab, pathOf(`${name} (${number})`), { overwrite: false })) return;
    }
  } catch (error) {
    notifyError(error);
  }
}

/** Opens the version saved elsewhere in another tab. */
export function openOtherVersion(tab: Tab, { theirs }: Conflict): void {
  const name = t("{{name}} (other version)", { name: tab.name });
  openText(theirs, name, tab.path);
}

export async function openSaved(path: string): Promise<void> {
  const open = useStudio.getState().tabs.find((each) => each.path === path);
  if (open !== undefined) {
    showTab(open.id);
    return;
  }
  try {
    const found = await library.read(path);
    const name = nameOf(path);
    if (found === null) throw new Error(t("The workflow {{name}} no longer exists.", { name }));
    openText(found, lastPart(name), path);
  } catch (error) {
    notifyError(error);
  }
}

function openText({ text, stamp }: StoredText, name: string, path: string | null): void {
  try {
    if (text.trim() === "") throw new SyntaxError("empty");
    const value = parseJson(text);
    openWorkflow(value, { name, path, stamp });
    notifyDamage(value, name);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof NotAWorkflowError)) throw error;
    notifyUnreadable(name, path, text);
  }
}

/** A file that cannot be opened is not changed; an earlier version may be readable. */
function notifyUnreadable(name: string, path: string | null, text: string): void {
  const sentence =
    text.trim() === ""
      ? t("{{name}} is an empty file.", { name })
      : t("{{name}} cannot be opened: the file is damaged or not a workflow. It was not changed.", {
          name,
        });
  if (path === null) notify(sentence);
  else notify(sentence, { label: t("Show its versions"), run: () => showVersions(path) });
}

/** The file whose versions are shown; null for the open document. */
export const useVersionsOf = create<{ path: string | null }>(() => ({ path: null }));

export function showVersions(path: string | null): void {
  useVersionsOf.setState({ path });
  openSheet("versions");
}

const channel =
  globalThis.BroadcastChannel === undefined ? null : new BroadcastChannel("calotype.saved");

function announce(path: string, stamp: string | null): void {
  channel?.postMessage({ path, stamp });
}

/**
 * Receives saves by other windows of documents that are open here. Returns a function that ends it.
 */
export function watchSaved(): () => void {
  const onMessage = ({ data }: MessageEvent<{ path: string; stamp: string | null }>) => {
    const tab = useStudio.getState().tabs.find((each) => each.path === data.path);
    if (tab === undefined || tab.stamp === data.stamp) return;
    library.read(data.path).then((theirs) => {
      if (theirs === null || theirs.text === textOf(tab.workflow)) return;
      useConflicts.setState(({ conflicts }) => ({
        conflicts: { ...conflicts, [tab.id]: { theirs } },
      }));
    }, notifyError);
  };
  channel?.addEventListener("message", onMessage);
  return () => channel?.removeEventListener("message", onMessage);
}
