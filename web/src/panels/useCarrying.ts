/**
 * Carries a node from the library to the canvas with a mouse, a pen or a finger. Nothing changes
 * before it is put down; Escape cancels.
 */

import { useEffect, useRef, useState } from "react";
import type { NodeSchema } from "../api/types";
import type { Point } from "../document/graph";
import { isBlueprint } from "../state/catalog/blueprints";
import { placeNode } from "../state/editing/actions";
import { addIntoWire, insertionSockets, wireAt } from "../state/editing/connecting";
import { focusSideAt } from "../state/editing/splitView";
import { useWiring } from "../state/editing/wiring";
import { GRID, TITLE, WIDTH } from "../state/nodes/shape";
import { canvas } from "../state/session/canvas";
import { type Editor, useEditor } from "../state/session/editor";
import { followPointer } from "../widgets/pointerDrag";

/** A press that moves no further, in pixels, is a click. */
const CLICK_DISTANCE = 5;
/** A finger carries only sideways: up and down it scrolls the list. */
const TOUCH_DISTANCE = 12;
/** The distance from a wire within which a node is put into it: on the screen, in pixels. */
const WIRE_DISTANCE = 14;

export interface Carried {
  schema: NodeSchema;
  /** The place of the pointer on the screen. */
  at: Point;
  /** The zoom of the canvas: the node is drawn in the size that it will have. */
  zoom: number;
}

/** Returns what is carried, and the handler of presses on a row. */
export function useCarrying() {
  const editor = useEditor();
  const [carried, setCarried] = useState<Carried | null>(null);
  const cancel = useRef(() => {});
  useEffect(() => () => cancel.current(), []);
  const press = (
    { button, nativeEvent, currentTarget }: React.PointerEvent,
    schema: NodeSchema,
  ) => {
    if (button !== 0) return;
    cancel.current();
    // The list may scroll the row away.
    const holder = currentTarget.closest(".drawer") ?? currentTarget;
    cancel.current = followPointer(nativeEvent, holder, {
      isBegun: ({ x, y }) =>
        nativeEvent.pointerType === "touch"
          ? Math.abs(x) - Math.abs(y) >= TOUCH_DISTANCE
          : Math.hypot(x, y) >= CLICK_DISTANCE,
      move: (event) => {
        event.preventDefault();
        const at = { x: event.clientX, y: event.clientY };
        useWiring.setState({ over: isOverCanvas(at) ? wireUnder(editor, schema, at) : null });
        setCarried({ schema, at, zoom: editor.tab.viewport?.zoom ?? 1 });
      },
      end: (event) => {
        if (event === null) return;
        const at = { x: event.clientX, y: event.clientY };
        if (isOverCanvas(at)) putDown(editor, schema, at);
      },
      cancel: () => undefined,
      done: () => {
        setCarried(null);
        if (useWiring.getState().over !== null) useWiring.setState({ over: null });
      },
    });
  };
  return { carried, press };
}

/** Whether the canvas itself is at this place, and nothing above it. */
function isOverCanvas({ x, y }: Point): boolean {
  const under = document.elementFromPoint(x, y);
  return under?.closest(".canvas") != null && under.closest(".drawer") === null;
}

/** The wire at a place of the screen that a node of this class would be inserted into. */
function wireUnder(editor: Editor, schema: NodeSchema, screen: Point): string | null {
  const at = canvas()?.toGraph(screen);
  if (at === undefined || isBlueprint(schema)) return null;
  const reach = WIRE_DISTANCE / (editor.tab.viewport?.zoom ?? 1);
  return wireAt(editor, at, reach, (link) => insertionSockets(editor, schema, link) !== null);
}

/** The pointer holds the node by the middle of its title. */
function putDown(editor: Editor, schema: NodeSchema, screen: Point): void {
  focusSideAt(screen);
  const at = canvas()?.toGraph(screen);
  if (at === undefined) return;
  const wire = wireUnder(editor, schema, screen);
  const corner = { x: onGrid(at.x - WIDTH / 2), y: onGrid(at.y - TITLE / 2) };
  if (wire === null) placeNode(editor, schema, corner);
  else addIntoWire(editor, schema, wire, at);
  canvas()?.focus();
}

function onGrid(place: number): number {
  return Math.round(place / GRID) * GRID;
}
