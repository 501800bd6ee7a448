/**
 * A click on a node selects it alone, even where it was one of several. React Flow selects only
 * what was not selected before, since a press may begin a drag of the whole selection.
 */

import type { MouseEvent } from "react";
import type { Editor } from "../state/session/editor";
import { select } from "../state/session/studio";
import { type FlowNode, FOLD_PREFIX } from "./flow";

/** Elements in a node that handle clicks themselves. */
const CONTROLS = "input, textarea, select, button, a, .field";

/** Whether a click adds to the selection or removes from it. */
export function isAdding({ shiftKey, ctrlKey, metaKey }: MouseEvent): boolean {
  return shiftKey || ctrlKey || metaKey;
}

/**
 * Handles a click where nodes are painted, and so have no element; `key` is null where there is
 * none.
 */
export function clickPainted(editor: Editor, event: MouseEvent, key: string | null): void {
  const { id } = editor;
  const { selected, selectedLinks } = editor.tab;
  if (!isAdding(event)) select({ id }, key === null ? [] : [key], []);
  else if (key !== null) {
    const others = selected.filter((each) => each !== key);
    select({ id }, others.length < selected.length ? others : [...selected, key], selectedLinks);
  }
}

export function clickNode(editor: Editor, event: MouseEvent, { id }: Pick<FlowNode, "id">): void {
  // React Flow adds the node to the selection, or removes it.
  if (isAdding(event)) return;
  if (event.target instanceof Element && event.target.closest(CONTROLS) !== null) return;
  // A click on the title of a folded frame selects the nodes in it.
  if (!id.startsWith(FOLD_PREFIX)) select(editor, [id], []);
}
