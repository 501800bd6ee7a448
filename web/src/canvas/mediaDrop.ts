/**
 * Drops of files on a node with a file field: the file goes into the field, not onto the canvas.
 */

import type { DragEvent } from "react";
import { inputFor, uploadFieldFile } from "../state/fields/media";
import type { Editor } from "../state/session/editor";

export function takeDrop(editor: Editor, node: string, event: DragEvent): void {
  const [file] = event.dataTransfer.files;
  const input = file === undefined ? null : inputFor(editor, node, file);
  if (file === undefined || input === null) return;
  event.preventDefault();
  event.stopPropagation();
  void uploadFieldFile(editor, node, input, file);
}
