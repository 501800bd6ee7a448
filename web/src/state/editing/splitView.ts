/**
 * The split view: two views side by side, of two open documents, or of one: two places of its graph,
 * or its graph and its form. That with the focus is the one that commands act on; both are live.
 */

import type { Point } from "../../document/graph";
import { t } from "../../words/words";
import { canvas } from "../session/canvas";
import { addSecondView, keepOnly, showView } from "../session/secondView";
import { documentOf, firstViewOf, secondViewOf, viewOf } from "../session/sides";
import {
  activeOf,
  blankTab,
  changeTab,
  putTab,
  type Studio,
  showTab,
  useStudio,
} from "../session/studio";
import { type Split, useView } from "../session/view";
import { useArranging } from "./arranging";
import { endPull } from "./pull";
import { useRenaming } from "./renaming";
import { useWiring } from "./wiring";

/** The share of the width that either side keeps at least. */
export const LEAST_SHARE = 0.15;

/**
 * The split after a change of the open documents: a document that is shown from elsewhere, such as
 * its tab, takes the side of the one that had the focus, and that of its form. Null where a side was
 * closed.
 */
export function splitAfter(split: Split, last: string | null, now: Studio): Split | null {
  const isOpen = (view: string) => now.tabs.some((tab) => tab.id === documentOf(view));
  const [first, second] = split.panes;
  if (!split.panes.every(isOpen)) return null;
  if (split.panes.some((view) => documentOf(view) === now.active)) return split;
  if (split.form === true)
    return { ...split, panes: [firstViewOf(now.active), secondViewOf(now.active)] };
  const left = last === second ? first : second;
  // A document that is left with one view has no second one.
  const alone = documentOf(left);
  return { ...split, panes: last === second ? [alone, now.active] : [now.active, alone] };
}

/** Keeps the split in step with the open documents. Returns a function that ends it. */
export function followDocuments(): () => void {
  let last: string | null = null;
  const follow = () => {
    const now = useStudio.getState();
    const { split } = useView.getState();
    if (split === null) return;
    const next = splitAfter(split, last, now);
    if (next !== null) {
      const replaced = last;
      last = viewOf(activeOf(now));
      if (next !== split) useView.setState({ split: next });
      giveViews(next, split, replaced);
      return;
    }
    useView.setState({ split: null });
    endSecondViews();
    // The other side goes on alone.
    const left = split.panes.map(documentOf).find((id) => now.tabs.some((tab) => tab.id === id));
    if (left !== undefined && left !== now.active) showTab(left);
  };
  follow();
  return useStudio.subscribe(follow);
}

/**
 * Gives a document that is on both sides its second view. Others have one: that which was not
 * replaced, of the two that were shown before.
 */
function giveViews({ panes, form }: Split, before: Split | null, replaced: string | null): void {
  const [first, second] = panes.map(documentOf);
  for (const tab of useStudio.getState().tabs) {
    const { id, other } = tab;
    const hasTwo = first === second && id === first;
    const left = before?.panes.find((view) => documentOf(view) === id && view !== replaced);
    if (hasTwo && other === null) addSecondView(id, form === true ? "root" : "same");
    if (!hasTwo && other !== null) keepOnly(left ?? viewOf(tab));
  }
}

function endSecondViews(): void {
  for (const tab of useStudio.getState().tabs) if (tab.other !== null) keepOnly(viewOf(tab));
}

/** Shows the active document and another one side by side, or only the active one again. */
export function toggleSplit(): void {
  const { tabs, active } = useStudio.getState();
  if (useView.getState().split !== null) {
    closeSplit();
    return;
  }
  const at = tabs.findIndex(({ id }) => id === active);
  let beside = (tabs[at + 1] ?? tabs[at - 1])?.id;
  if (beside === undefined) {
    const tab = blankTab(crypto.randomUUID(), t("Untitled"));
    beside = tab.id;
    putTab(tab);
    showTab(active);
  }
  fitAgain([active, beside]);
  useView.setState({ split: { panes: [active, beside], share: 0.5 } });
}

/**
 * Shows the active document on both sides, each with a level, a selection and a place of its own;
 * or its graph beside its form. Ends that where it is shown so already.
 */
export function toggleSplitOfOne(form: boolean): void {
  const { active } = useStudio.getState();
  const { split } = useView.getState();
  const isOfOne = split !== null && documentOf(split.panes[1]) === documentOf(split.panes[0]);
  if (isOfOne && (split.form ?? false) === form) {
    closeSplit();
    return;
  }
  if (split !== null) closeSplit();
  fitAgain([active]);
  const next: Split = {
    panes: [firstViewOf(active), secondViewOf(active)],
    share: form ? 0.65 : 0.5,
    form,
  };
  giveViews(next, null, null);
  useView.setState({ split: next });
}

/** Ends the split view; the document of a closed side stays open in its tab. */
export function closeSplit(closed?: string): void {
  const { split } = useView.getState();
  const left = split?.panes.find((id) => id !== closed);
  if (closed !== undefined && left !== undefined) focusSide(left);
  // The graph stays where the focus was in the form.
  else if (split?.form === true) focusSide(split.panes[0]);
  fitAgain(split?.panes ?? []);
  useView.setState({ split: null });
  endSecondViews();
}

/** Has documents that were shown whole shown whole again on a canvas of another size. */
function fitAgain(ids: readonly string[]): void {
  for (const id of ids) {
    if ((canvas(id) ?? canvas())?.fits(id)) changeTab(id, () => ({ viewport: null }));
  }
}

export function focusOtherSide(): void {
  const active = viewOf(activeOf(useStudio.getState()));
  const other = useView.getState().split?.panes.find((id) => id !== active);
  if (other !== undefined) focusSide(other);
}

/**
 * Makes a side the one that commands act on. A field that is being edited elsewhere takes its
 * value first, and what was begun in the other document ends there.
 */
export function focusSide(id: string, within: Element | null = null): void {
  if (viewOf(activeOf(useStudio.getState())) === id) return;
  const focused = document.activeElement;
  if (focused instanceof HTMLElement && within?.contains(focused) !== true) focused.blur();
  endPull();
  useWiring.setState({ lit: [], over: null, points: [], menu: null, naming: null });
  useArranging.setState({ frame: null, writing: null });
  useRenaming.setState({ node: null, frame: null });
  showView(id);
}

/** Gives the focus to the side at a place of the screen, where one is. */
export function focusSideAt({ x, y }: Point): void {
  const pane = document.elementFromPoint(x, y)?.closest<HTMLElement>("[data-pane]");
  if (pane?.dataset.pane !== undefined) focusSide(pane.dataset.pane, pane);
}
