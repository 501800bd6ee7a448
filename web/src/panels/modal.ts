/** Opens a dialog as modal while it is mounted; the focus returns to where it was. */
import { type RefObject, useEffect } from "react";

export function useModal(dialog: RefObject<HTMLDialogElement | null>): void {
  useEffect(() => {
    const shown = dialog.current;
    const before = shown?.ownerDocument.activeElement as HTMLElement | null | undefined;
    shown?.showModal();
    // The first field to type or choose in, if there is one; else the first button.
    shown?.querySelector<HTMLElement>(".body :is(input, select, textarea)")?.focus();
    return () => {
      shown?.close();
      before?.focus();
    };
  }, [dialog]);
}
