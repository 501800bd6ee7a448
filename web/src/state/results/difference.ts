/** Which two documents are being compared. What differs is told by `differing.ts`. */
import { create } from "zustand";
import type { Workflow } from "../../document/graph";
import { t } from "../../words/words";
import { activeTab } from "../studio";
import { notifyError } from "../view";

interface Compared {
  /** What the other one is compared with. */
  one: Workflow;
  oneName: string;
  /** null is the open document of the tab, as it stands. */
  other: Workflow | null;
  otherName: string;
  /** Where the marks are shown; null: nowhere. */
  tab: string | null;
  /** The job that `other` made, to open it. */
  job: string | null;
}

export const useDifference = create<{ compared: Compared | null }>(() => ({ compared: null }));

export function closeDifference(): void {
  useDifference.setState({ compared: null });
}

/** How the open document came out of the one that made a result. */
export async function compareWithOpen(id: string): Promise<void> {
  try {
    const { graphOfResult } = await import("./results");
    const one = await graphOfResult(id);
    const { id: tab, name } = activeTab();
    useDifference.setState({
      compared: { one, oneName: nameOf(id), other: null, otherName: name, tab, job: null },
    });
  } catch (error) {
    notifyError(error);
  }
}

/** How the workflow of the later result came out of that of the earlier one. */
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

/** Opens the later of two workflows in a tab, so that the marks have a place. */
export async function showMarks(): Promise<void> {
  const { compared } = useDifference.getState();
  if (compared?.job == null) return;
  await (await import("./results")).openResult(compared.job);
  const tab = activeTab();
  useDifference.setState({
    compared: { ...compared, other: null, otherName: tab.name, tab: tab.id, job: null },
  });
}

function nameOf(id: string): string {
  return t("Result {{id}}", { id: id.slice(0, 8) });
}
