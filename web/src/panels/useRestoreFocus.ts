/** Restores the focus when the element that had it is closed. */

import { useEffect, useState } from "react";
import { canvas } from "../state/session/canvas";
import { type Editor, useEditor } from "../state/session/editor";

/**
 * The card of the node that is selected now, if the focus was on the card of another: the new one
 * was just added.
 */
function chosenInstead(editor: Editor, before: Element | null): HTMLElement | null {
  const key = before?.closest<HTMLElement>(".canvas [data-node]")?.dataset.node;
  const { selected } = editor.tab;
  const [chosen] = selected;
  if (key === undefined || chosen === undefined || selected.includes(key)) return null;
  return document.querySelector<HTMLElement>(
    `.canvas:not(.aside) [data-node="${CSS.escape(chosen)}"]`,
  );
}

/** Returns the focus to where it was on mount, or to the canvas if it was nowhere. */
export function useRestoreFocus(): void {
  const editor = useEditor();
  // Read during the first render: before any effect can move the focus.
  const [before] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      const now = document.activeElement;
      if (now !== null && now !== document.body && now.isConnected) return;
      const chosen = chosenInstead(editor, before);
      if (chosen !== null) chosen.focus({ preventScroll: true });
      else if (before instanceof HTMLElement && before !== document.body && before.isConnected) {
        before.focus({ preventScroll: true });
      } else canvas()?.focus();
    },
    [before, editor],
  );
}
