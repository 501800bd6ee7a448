/** The user's saved workflows as a list: folders, deleted files, and operations on files. */
import { create } from "zustand";
import type { SavedFile } from "../../api/library";
import { HttpError } from "../../api/transport";
import { t } from "../../words/words";
import { FOLDER, nameOf, pathOf } from "../session/paths";
import { library } from "../session/server";
import { notify, notifyError } from "../session/view";
import { type Closed, useClosed } from "./closed";
import { listClosed } from "./restore";

const TRASH = `${FOLDER}/.trash`;

interface Deleted {
  /** The path in the trash, and the original path. */
  path: string;
  from: string;
  /** When it was deleted: milliseconds since 1970. */
  at: number;
}

interface Workflows {
  /** null until they are loaded. */
  files: readonly SavedFile[] | null;
  deleted: readonly Deleted[];
  closed: readonly Closed[];
}

export const useWorkflows = create<Workflows>(() => ({ files: null, deleted: [], closed: [] }));

export async function refreshWorkflows(): Promise<void> {
  try {
    const [files, trash, closed] = await Promise.all([
      library.list(FOLDER),
      library.list(TRASH),
      listClosed(),
    ]);
    const deleted = trash.flatMap(({ path }) => deletedOf(path));
    deleted.sort((one, other) => other.at - one.at);
    useWorkflows.setState({ files: files.filter(isWorkflow), deleted, closed });
  } catch (error) {
    useWorkflows.setState({ files: [], closed: useClosed.getState().closed });
    notifyError(error);
  }
}

function isWorkflow({ path }: SavedFile): boolean {
  return path.endsWith(".json");
}

/** Deleted files are in a folder named after the time of deletion. */
function deletedOf(path: string): Deleted[] {
  const slash = path.indexOf("/");
  const at = Number(path.slice(0, slash));
  const from = `${FOLDER}/${path.slice(slash + 1)}`;
  return slash < 0 || Number.isNaN(at) ? [] : [{ path: `${TRASH}/${path}`, from, at }];
}

/** Moves a workflow to the trash. */
export async function deleteWorkflow(path: string): Promise<void> {
  const at = Date.now();
  const target = `${TRASH}/${at}/${path.slice(FOLDER.length + 1)}`;
  await library.move(path, target);
  await refreshWorkflows();
  notify(t("{{name}} is deleted.", { name: nameOf(path) }), {
    label: t("Undo"),
    run: () => void restoreWorkflow({ path: target, from: path, at }).catch(notifyError),
  });
}

/** Restores a deleted workflow to its path; under a free name where that is taken. */
export async function restoreWorkflow({ path, from }: Deleted): Promise<void> {
  const name = nameOf(from);
  for (let number = 1; ; number += 1) {
    const target = number === 1 ? from : pathOf(`${name} (${number})`);
    try {
      await library.move(path, target);
      break;
    } catch (error) {
      if (!(error instanceof HttpError) || error.status !== 409) throw error;
    }
  }
  await refreshWorkflows();
}

/** Copies the file to a free name beside it, whatever it contains. */
export async function duplicateWorkflow(path: string): Promise<void> {
  const found = await library.read(path);
  const name = nameOf(path);
  if (found === null) throw new Error(t("The workflow {{name}} no longer exists.", { name }));
  for (let number = 1; ; number += 1) {
    const target = number === 1 ? t("{{name}} (copy)", { name }) : `${name} (${number})`;
    try {
      await library.save(pathOf(target), found.text, { overwrite: false });
      break;
    } catch (error) {
      if (!(error instanceof HttpError) || error.status !== 409) throw error;
    }
  }
  await refreshWorkflows();
}

interface Folder {
  /** "" for files without a folder. */
  name: string;
  files: readonly SavedFile[];
}

/** Files grouped by folder, those without a folder first; the newest first in each group. */
export function foldersOf(files: readonly SavedFile[], typed: string): Folder[] {
  const words = typed.trim().toLowerCase().split(/\s+/);
  const folders = new Map<string, SavedFile[]>();
  for (const file of files) {
    if (!words.every((word) => file.path.toLowerCase().includes(word))) continue;
    const name = file.path.slice(0, Math.max(0, file.path.lastIndexOf("/")));
    folders.set(name, [...(folders.get(name) ?? []), file]);
  }
  return [...folders]
    .map(([name, found]) => ({
      name,
      files: found.sort((one, other) => other.modified - one.modified),
    }))
    .sort((one, other) => one.name.localeCompare(other.name));
}
