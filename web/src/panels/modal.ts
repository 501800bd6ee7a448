/** Opens a dialog as modal while it is mounted; the focus returns to where it was. */
import { type RefObject, useEffect } from "react";

export function useModal(dialog: RefObject<HTMLDialogElement | null>): void {
  useEffect(() => {
    const before = document.activeElement;
    const shown = dialog.current;
    shown?.showModal();
    // The first field to type or choose in, if there is one; else the first button.
    shown?.querySelector<HTMLElement>(".body :is(input, select, textarea)")?.focus();
    return () => {
      shown?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, [dialog]);
}
