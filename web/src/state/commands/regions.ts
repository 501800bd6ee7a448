/** The regions of the screen that F6 cycles through: the bars, the canvas, the panels beside it. */

import { setTabAddsNode } from "../editing/keyboardNavigation";
import { canvas } from "../session/canvas";
import { activeTab } from "../session/studio";

const REGIONS = [
  ".top-bar",
  ".rail",
  ".drawer",
  ".canvas:not(.aside)",
  ".run-bar",
  ".notice",
  ".app-form",
  ".app-results",
  ".dock",
  ".inspector",
];
const FOCUSABLE =
  ":is(a[href], button, input, select, textarea, summary, [tabindex]):not([tabindex='-1'], :disabled)";

/** Focuses the next region, or the previous one. */
export function focusNextRegion(step: 1 | -1): void {
  const shown = REGIONS.flatMap((each) => document.querySelector<HTMLElement>(each) ?? []);
  const now = shown.findIndex((each) => each.contains(document.activeElement));
  const start = now === -1 && step === -1 ? 0 : now;
  setTabAddsNode(false);
  for (let away = 1; away <= shown.length; away += 1) {
    const region = shown[(start + step * away + shown.length * 2) % shown.length];
    if (region !== undefined && enter(region)) return;
  }
}

function enter(region: HTMLElement): boolean {
  if (region.matches(".canvas")) {
    const [key] = activeTab().selected;
    if (key === undefined) region.focus({ preventScroll: true });
    else canvas()?.focusNode(key);
    return true;
  }
  const all = [...region.querySelectorAll<HTMLElement>(FOCUSABLE)];
  const first = all.find((each) => each.checkVisibility({ visibilityProperty: true }));
  first?.focus();
  return first !== undefined;
}
