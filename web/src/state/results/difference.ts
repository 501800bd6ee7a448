/** The two documents being compared; `differing.ts` computes the difference. */

import { create } from "zustand";
import type { Workflow } from "../../document/graph";
import { t } from "../../words/words";
import type { Editor } from "../session/editor";
import { tabOf } from "../session/studio";
import { notifyError } from "../session/view";

interface Compared {
  /** The earlier document. */
  one: Workflow;
  oneName: string;
  /** The later document; null is the open document of the tab. */
  other: Workflow | null;
  otherName: string;
  /** The tab in which the differences are marked; null for none. */
  tab: string | null;
  /** The job whose workflow is `other`, to open it. */
  job: string | null;
}

export const useDifference = create<{ compared: Compared | null }>(() => ({ compared: null }));

export function closeDifference(): void {
  useDifference.setState({ compared: null });
}

/** Compares the workflow that made a result with the open document. */
export async function compareWithOpen(editor: Editor, id: string): Promise<void> {
  const { id: tab, name } = editor.tab;
  try {
    const { graphOfResult } = await import("./results");
    const one = await graphOfResult(id);
    useDifference.setState({
      compared: { one, oneName: nameOf(id), other: null, otherName: name, tab, job: null },
    });
  } catch (error) {
    notifyError(error);
  }
}

/** Compares the workflows of an earlier and a later result. */
export async function compareWorkflows(earlier: string, later: string): Promise<void> {
  try {
    const { graphOfResult } = await import("./results");
    const [one, other] = await Promise.all([graphOfResult(earlier), graphOfResult(later)]);
    const names = { oneName: nameOf(earlier), otherName: nameOf(later) };
    useDifference.setState({ compared: { one, ...names, other, tab: null, job: later } });
  } catch (error) {
    notifyError(error);
  }
}

/** Opens the later of two workflows in a tab, so that the differences can be marked. */
export async function showMarks(): Promise<void> {
  const { compared } = useDifference.getState();
  if (compared?.job == null) return;
  const opened = await (await import("./results")).openResult(compared.job);
  const tab = opened === null ? undefined : tabOf(opened);
  if (tab === undefined) return;
  useDifference.setState({
    compared: { ...compared, other: null, otherName: tab.name, tab: tab.id, job: null },
  });
}

function nameOf(id: string): string {
  return t("Result {{id}}", { id: id.slice(0, 8) });
}
