/** Where the focus goes when what had it is closed. */
import { useEffect, useState } from "react";
import { canvas } from "../state/canvas";

/** The focus goes back where it was; to the canvas, where it was nowhere. */
export function useFocusBack(): void {
  // Asked before what opens takes the focus, which is before any effect.
  const [before] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      const now = document.activeElement;
      if (now !== null && now !== document.body && now.isConnected) return;
      if (before instanceof HTMLElement && before !== document.body && before.isConnected) {
        before.focus({ preventScroll: true });
      } else canvas()?.focus();
    },
    [before],
  );
}
