/** Clicks on wires: they open the wire's menu; with Alt, they add a reroute point. */

import type { MouseEvent } from "react";
import { addPoint } from "../state/editing/connecting";
import { useWiring } from "../state/editing/wiring";
import { canvas } from "../state/session/canvas";
import type { Editor } from "../state/session/editor";
import { select } from "../state/session/studio";

/** Opens the menu of a wire; with Alt, adds a point to it at once. */
export function clickWire(
  editor: Editor,
  event: MouseEvent | globalThis.MouseEvent,
  link: string,
): void {
  const screen = { x: event.clientX, y: event.clientY };
  const at = canvas()?.toGraph(screen) ?? screen;
  if (event.altKey) addPoint(editor, link, at);
  else if (!event.shiftKey && !event.ctrlKey && !event.metaKey) {
    select(editor, [], [link]);
    useWiring.setState({ menu: { link, screen, at } });
  }
}
