/** Moves a frame with its contents, as one entry of the log. */

import { contentsOf, frameOf, moveContents } from "../../document/frames";
import type { Point } from "../../document/graph";
import type { Editor } from "../session/editor";
import { edit } from "../session/studio";
import { gridStep, isDragOver } from "./moving";

/**
 * Returns a function that moves a frame, with the contents it has at the first call, by a total
 * offset.
 */
export function frameMover(editor: Editor, key: string): (by: Point) => void {
  let startContents: ReturnType<typeof contentsOf> | null = null;
  return (by) => {
    if (isDragOver()) return;
    const { graph } = editor.tab;
    const group = frameOf(graph, key);
    if (group === undefined) return;
    startContents ??= contentsOf(graph, group);
    const contents = startContents;
    const from = contents.frames[key] ?? group.position;
    const to = gridStep({ x: from.x + by.x, y: from.y + by.y });
    const offset = { x: to.x - from.x, y: to.y - from.y };
    edit(
      editor,
      "Move the group",
      (draft) => moveContents(draft, contents, offset),
      `group ${key}`,
    );
  };
}
