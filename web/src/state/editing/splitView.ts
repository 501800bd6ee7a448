/**
 * The split view: two open documents side by side. The one that has the focus is the active
 * document; the other one is shown beside it, and both are live.
 */

import type { Point } from "../../document/graph";
import { t } from "../../words/words";
import { canvas } from "../session/canvas";
import { blankTab, changeTab, putTab, type Studio, showTab, useStudio } from "../session/studio";
import { type Split, useView } from "../session/view";
import { useArranging } from "./arranging";
import { endPull } from "./pull";
import { useRenaming } from "./renaming";
import { useWiring } from "./wiring";

/** The share of the width that either side keeps at least. */
export const LEAST_SHARE = 0.15;

/**
 * The split after a change of the open documents: a document that is shown from elsewhere, such as
 * its tab, takes the side of the one that had the focus. Null where a side was closed.
 */
export function splitAfter(split: Split, last: string | null, now: Studio): Split | null {
  const isOpen = (id: string) => now.tabs.some((tab) => tab.id === id);
  if (split.panes.includes(now.active)) return split.panes.every(isOpen) ? split : null;
  if (!split.panes.every(isOpen)) return null;
  const [first, second] = split.panes;
  return { ...split, panes: last === second ? [first, now.active] : [now.active, second] };
}

/** Keeps the split in step with the open documents. Returns a function that ends it. */
export function followDocuments(): () => void {
  let last: string | null = null;
  const follow = () => {
    const now = useStudio.getState();
    const { split } = useView.getState();
    if (split === null) return;
    const next = splitAfter(split, last, now);
    if (next !== null) last = now.active;
    if (next !== split) useView.setState({ split: next });
    if (next !== null) return;
    // The other side goes on alone.
    const left = split.panes.find((id) => now.tabs.some((tab) => tab.id === id));
    if (left !== undefined && left !== now.active) showTab(left);
  };
  follow();
  return useStudio.subscribe(follow);
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

/** Ends the split view; the document of a closed side stays open in its tab. */
export function closeSplit(closed?: string): void {
  const { split } = useView.getState();
  const left = split?.panes.find((id) => id !== closed);
  fitAgain(split?.panes ?? []);
  useView.setState({ split: null });
  if (closed !== undefined && left !== undefined) focusSide(left);
}

/** Has documents that were shown whole shown whole again on a canvas of another size. */
function fitAgain(ids: readonly string[]): void {
  for (const id of ids) {
    if ((canvas(id) ?? canvas())?.fits(id)) changeTab(id, () => ({ viewport: null }));
  }
}

export function focusOtherSide(): void {
  const { active } = useStudio.getState();
  const other = useView.getState().split?.panes.find((id) => id !== active);
  if (other !== undefined) focusSide(other);
}

/**
 * Makes the document of a side the active one. A field that is being edited elsewhere takes its
 * value first, and what was begun in the other document ends there.
 */
export function focusSide(id: string, within: Element | null = null): void {
  if (useStudio.getState().active === id) return;
  const focused = document.activeElement;
  if (focused instanceof HTMLElement && within?.contains(focused) !== true) focused.blur();
  endPull();
  useWiring.setState({ lit: [], over: null, points: [], menu: null, naming: null });
  useArranging.setState({ frame: null, writing: null });
  useRenaming.setState({ node: null, frame: null });
  showTab(id);
}

/** Gives the focus to the side at a place of the screen, where one is. */
export function focusSideAt({ x, y }: Point): void {
  const pane = document.elementFromPoint(x, y)?.closest<HTMLElement>("[data-pane]");
  if (pane?.dataset.pane !== undefined) focusSide(pane.dataset.pane, pane);
}
