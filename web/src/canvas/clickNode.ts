/**
 * What a click on a node does: it alone is selected, even where it was one of several. The library
 * selects only what was not selected before, as a press may begin a drag of all that is.
 */
import type { MouseEvent } from "react";
import { select } from "../state/studio";
import { type FlowNode, FOLD } from "./flow";

/** What in a node answers a click itself. */
const CONTROLS = "input, textarea, select, button, a, .field";

export function clickNode(event: MouseEvent, { id }: Pick<FlowNode, "id">): void {
  // With these keys the library adds the node to what is selected, or takes it away.
  if (event.shiftKey || event.ctrlKey || event.metaKey) return;
  if (event.target instanceof Element && event.target.closest(CONTROLS) !== null) return;
  // The title of a folded frame selects what is in it.
  if (!id.startsWith(FOLD)) select([id]);
}
