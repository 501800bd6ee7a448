/** Where the focus goes when what had it is closed. */
import { useEffect, useState } from "react";
import { canvas } from "../state/canvas";
import { activeTab } from "../state/studio";

/** The card of the node that is selected now, where the focus was on another: that one was added. */
function chosenInstead(before: Element | null): HTMLElement | null {
  const key = before?.closest<HTMLElement>(".canvas [data-node]")?.dataset.node;
  const { selected } = activeTab();
  const [chosen] = selected;
  if (key === undefined || chosen === undefined || selected.includes(key)) return null;
  return document.querySelector<HTMLElement>(`.canvas [data-node="${CSS.escape(chosen)}"]`);
}

/** The focus goes back where it was; to the canvas, where it was nowhere. */
export function useRestoreFocus(): void {
  // Asked before what opens takes the focus, which is before any effect.
  const [before] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      const now = document.activeElement;
      if (now !== null && now !== document.body && now.isConnected) return;
      const chosen = chosenInstead(before);
      if (chosen !== null) chosen.focus({ preventScroll: true });
      else if (before instanceof HTMLElement && before !== document.body && before.isConnected) {
        before.focus({ preventScroll: true });
      } else canvas()?.focus();
    },
    [before],
  );
}
