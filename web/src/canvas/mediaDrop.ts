/** A file dropped on a node that takes one goes into it, not onto the canvas. */
import type { DragEvent } from "react";
import { inputFor, uploadFieldFile } from "../state/fields/media";

export function takeDrop(node: string, event: DragEvent): void {
  const [file] = event.dataTransfer.files;
  const input = file === undefined ? null : inputFor(node, file);
  if (file === undefined || input === null) return;
  event.preventDefault();
  event.stopPropagation();
  void uploadFieldFile(node, input, file);
}
