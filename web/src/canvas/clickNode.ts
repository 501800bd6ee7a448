/**
 * What a click on a node does: it alone is selected, even where it was one of several. The library
 * selects only what was not selected before, as a press may begin a drag of all that is.
 */
import type { MouseEvent } from "react";
import { activeTab, select } from "../state/studio";
import { type FlowNode, FOLD } from "./flow";

/** What in a node answers a click itself. */
const CONTROLS = "input, textarea, select, button, a, .field";

/** Whether a click adds to what is selected, or takes away from it. */
export function isAdding({ shiftKey, ctrlKey, metaKey }: MouseEvent): boolean {
  return shiftKey || ctrlKey || metaKey;
}

/** A click where nodes are painted, and so unknown to the library; null where none is. */
export function clickPainted(event: MouseEvent, key: string | null): void {
  const { selected, selectedLinks } = activeTab();
  if (!isAdding(event)) select(key === null ? [] : [key]);
  else if (key !== null) {
    const others = selected.filter((each) => each !== key);
    select(others.length < selected.length ? others : [...selected, key], selectedLinks);
  }
}

export function clickNode(event: MouseEvent, { id }: Pick<FlowNode, "id">): void {
  // The library adds the node to what is selected, or takes it away.
  if (isAdding(event)) return;
  if (event.target instanceof Element && event.target.closest(CONTROLS) !== null) return;
  // The title of a folded frame selects what is in it.
  if (!id.startsWith(FOLD)) select([id]);
}
