/** The tabs of open documents: closing without loss, renaming with the file, reordering. */

import { HttpError } from "../../api/transport";
import { t } from "../../words/words";
import { askText } from "../session/ask";
import type { Editor } from "../session/editor";
import { lastPart, nameOf, nameProblem, pathOf } from "../session/paths";
import { library } from "../session/server";
import { changeTab, closeTab, isDirty, showTab, type Tab, useStudio } from "../session/studio";
import { notify, notifyError } from "../session/view";
import { useClosed } from "./closed";
import { reopen } from "./restore";

/** Closes a document; unsaved changes are stored, and it can be reopened. */
export function closeDocument(id: string): void {
  const tab = useStudio.getState().tabs.find((each) => each.id === id);
  if (tab === undefined) return;
  closeTab(id);
  if (!isDirty(tab) || tab.workflow.order.length === 0) return;
  notify(t("{{name}} was not saved. It is in the list of closed workflows.", { name: tab.name }), {
    label: t("Open it again"),
    run: () => {
      const closed = useClosed.getState().closed.find((each) => each.id === id);
      if (closed !== undefined) void reopen(closed).catch(notifyError);
    },
  });
}

/** Renames a document, and its file if it has one. */
export async function renameTab(tab: Tab, given: string): Promise<void> {
  const name = given.trim();
  if (name === "" || name === tab.name) return;
  if (tab.path === null) {
    changeTab(tab.id, () => ({ name }));
    return;
  }
  const whole = nameOf(tab.path);
  const folder = whole.slice(0, whole.length - lastPart(whole).length);
  await renameFile(tab.path, pathOf(name.includes("/") ? name : folder + name));
}

/** Moves a saved workflow, and updates open documents with this path. */
export async function renameFile(path: string, target: string): Promise<boolean> {
  const problem = nameProblem(nameOf(target));
  if (problem !== null) {
    notifyError(new Error(problem));
    return false;
  }
  try {
    await library.move(path, target);
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== 409) throw error;
    const name = nameOf(target);
    notifyError(new Error(t("There is a workflow called {{name}} already.", { name })));
    return false;
  }
  for (const tab of useStudio.getState().tabs) {
    if (tab.path !== path) continue;
    changeTab(tab.id, () => ({ path: target, name: lastPart(nameOf(target)) }));
  }
  return true;
}

export async function askTabName(editor: Editor): Promise<void> {
  const tab = editor.tab;
  const field = { label: t("Name"), value: tab.name };
  const given = await askText(t("Rename the workflow"), field, t("Rename"));
  if (given !== null) await renameTab(tab, given);
}

/** Moves a tab to another index. */
export function moveTab(id: string, place: number): void {
  useStudio.setState(({ tabs }) => {
    const tab = tabs.find((each) => each.id === id);
    if (tab === undefined) return {};
    const others = tabs.filter((each) => each.id !== id);
    const at = Math.max(0, Math.min(place, others.length));
    if (tabs[at]?.id === id) return {};
    return { tabs: [...others.slice(0, at), tab, ...others.slice(at)] };
  });
}

/** Shows the tab that is `by` places further, wrapping around. */
export function stepTab(by: number): void {
  const { tabs, active } = useStudio.getState();
  const at = tabs.findIndex((each) => each.id === active);
  const next = tabs[(at + by + tabs.length) % tabs.length];
  if (next !== undefined) showTab(next.id);
}
