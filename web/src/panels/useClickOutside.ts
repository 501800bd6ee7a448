/** Presses outside of an element, which close menus and palettes. */
import { type RefObject, useEffect } from "react";

/**
 * Calls `onAway` when the pointer is pressed outside of a box. `onAway` should keep its identity.
 */
export function useClickOutside(box: RefObject<HTMLElement | null>, onAway: () => void): void {
  useEffect(() => {
    const press = ({ target }: PointerEvent) => {
      // A dialog that was opened from here is above it.
      const isAbove = target instanceof Element && target.closest("dialog") !== null;
      if (!isAbove && target instanceof Node && !box.current?.contains(target)) onAway();
    };
    window.addEventListener("pointerdown", press, true);
    return () => window.removeEventListener("pointerdown", press, true);
  }, [box, onAway]);
}
