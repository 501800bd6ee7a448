/**
 * Files that are dropped beside the canvas: on a panel, on the form of an app. Without this the
 * browser would leave the editor to show them.
 */
import { canvas } from "../canvas";
import { openFiles } from "./files";

/** Takes in what nobody else takes. Returns what ends it. */
export function handleFileDrops(): () => void {
  const over = (event: DragEvent) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  };
  const drop = (event: DragEvent) => {
    const files = event.dataTransfer?.files ?? [];
    if (event.defaultPrevented || files.length === 0) return;
    event.preventDefault();
    // Behind a dialog nothing opens unseen.
    if (document.querySelector("dialog[open]") !== null) return;
    const handle = canvas();
    void openFiles(files, handle === null ? null : handle.toGraph(handle.pointer()));
  };
  window.addEventListener("dragover", over);
  window.addEventListener("drop", drop);
  return () => {
    window.removeEventListener("dragover", over);
    window.removeEventListener("drop", drop);
  };
}
