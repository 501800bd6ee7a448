/** Giving documents a second view for the split view, and the focus to one of the two. */
import { ROOT } from "../../document/levels";
import { documentOf, seenBy, sideOf } from "./sides";
import { atLevel, changeTab, useStudio } from "./studio";

/** Gives the focus to a view of its document. */
export function showView(view: string): void {
  const id = documentOf(view);
  useStudio.setState(({ tabs }) => ({
    tabs: tabs.map((each) => (each.id === id ? seenBy(view, each) : each)),
    active: id,
  }));
}

/** Gives a document a second view, which begins as the first, or at the root. */
export function addSecondView(id: string, level: "same" | "root"): void {
  changeTab(id, (tab) => {
    const other = level === "root" ? atLevel(tab, ROOT) : tab;
    return { other: { ...sideOf(other), selected: [], selectedLinks: [], viewport: null } };
  });
}

/** From now on this is the only view of its document. */
export function keepOnly(view: string): void {
  changeTab(view, () => ({ other: null, isSecond: false }));
}
