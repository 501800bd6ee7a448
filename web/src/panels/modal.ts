/** A dialog that stands above everything while it is there; the focus goes back where it was. */
import { type RefObject, useEffect } from "react";

export function useModal(dialog: RefObject<HTMLDialogElement | null>): void {
  useEffect(() => {
    const before = document.activeElement;
    const shown = dialog.current;
    shown?.showModal();
    // What one came for, where that is to type or to choose; else the first button.
    shown?.querySelector<HTMLElement>(".body :is(input, select, textarea)")?.focus();
    return () => {
      shown?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, [dialog]);
}
