/**
 * The two views that the split view may have of one document, each with a level, a selection and a
 * visible part of its own. A document holds those of the view that had the focus last; those of the
 * other one lie beside them, and the two change places with the focus.
 */
import type { Side, Tab } from "./tab";

/** The id of a document's first view, where it has two. */
export function firstViewOf(document: string): string {
  return `${document}#1`;
}

export function secondViewOf(document: string): string {
  return `${document}#2`;
}

/** The id of the document of a view. */
export function documentOf(view: string): string {
  return view.replace(/#[12]$/, "");
}

/** The id of the view that a document holds; that of the document where it has one view. */
export function viewOf({ id, other, isSecond }: Pick<Tab, "id" | "other" | "isSecond">): string {
  if (other === null) return id;
  return isSecond ? secondViewOf(id) : firstViewOf(id);
}

const otherSides = new WeakMap<Tab, Tab>();

/** A document with its other view in place; the same object each time. */
export function withOtherSide(tab: Tab): Tab {
  const known = otherSides.get(tab);
  if (known !== undefined || tab.other === null) return known ?? tab;
  const swapped = { ...tab, ...tab.other, other: sideOf(tab), isSecond: !tab.isSecond };
  otherSides.set(tab, swapped);
  return swapped;
}

/** A document as a view shows it; by the document's own id, as the view that it holds does. */
export function seenBy(view: string, tab: Tab): Tab {
  return view === tab.id || view === viewOf(tab) ? tab : withOtherSide(tab);
}

export function sideOf(tab: Side): Side {
  const { level, graph, levelViews, selected, selectedLinks, viewport } = tab;
  return { level, graph, levelViews, selected, selectedLinks, viewport };
}
