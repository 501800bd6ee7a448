/**
 * Files dropped outside of the canvas: on a panel, or on the form of an app. By default the browser
 * would leave the editor to show them.
 */

import { canvas } from "../session/canvas";
import { activeEditor } from "../session/editor";
import { openFiles } from "./files";

/** Starts handling drops that no other handler takes. Returns a function that ends it. */
export function handleFileDrops(): () => void {
  const over = (event: DragEvent) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  };
  const drop = (event: DragEvent) => {
    const files = event.dataTransfer?.files ?? [];
    if (event.defaultPrevented || files.length === 0) return;
    event.preventDefault();
    // Behind a dialog the user would not see what opens.
    if (document.querySelector("dialog[open]") !== null) return;
    const handle = canvas();
    void openFiles(
      activeEditor(),
      files,
      handle === null ? null : handle.toGraph(handle.pointer()),
    );
  };
  window.addEventListener("dragover", over);
  window.addEventListener("drop", drop);
  return () => {
    window.removeEventListener("dragover", over);
    window.removeEventListener("drop", drop);
  };
}
