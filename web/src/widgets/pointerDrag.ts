/**
 * Dragging by pointer: the pressed element captures the pointer, so that moves arrive wherever it
 * goes, and the drag ends once, whether it is released, cancelled by the system, or loses the
 * pointer.
 */
import { type PointerEvent, useRef } from "react";

interface PointerDrag<Start, Target extends Element> {
  /** Begins the drag by a press of the main button; what it returns is passed on. Null: no drag. */
  begin: (event: PointerEvent<Target>) => Start | null;
  move: (start: Start, event: PointerEvent<Target>) => void;
  /** Called once when the drag is over; not where it was cancelled and `cancel` is given. */
  end?: (start: Start) => void;
  /** Called instead of `end` where the system takes the pointer away: undoes the drag. */
  cancel?: (start: Start) => void;
}

interface Held<Start> {
  pointer: number;
  start: Start;
}

/** The handlers of an element that is dragged. */
export function usePointerDrag<Start, Target extends Element>(drag: PointerDrag<Start, Target>) {
  const held = useRef<Held<Start> | null>(null);
  const finish = (event: PointerEvent<Target>, isCancelled: boolean) => {
    const { current } = held;
    if (current === null || current.pointer !== event.pointerId) return;
    held.current = null;
    if (isCancelled && drag.cancel !== undefined) drag.cancel(current.start);
    else drag.end?.(current.start);
  };
  return {
    onPointerDown: (event: PointerEvent<Target>) => {
      if (event.button !== 0 || held.current !== null) return;
      const start = drag.begin(event);
      if (start === null) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      held.current = { pointer: event.pointerId, start };
    },
    onPointerMove: (event: PointerEvent<Target>) => {
      const { current } = held;
      if (current?.pointer === event.pointerId) drag.move(current.start, event);
    },
    onPointerUp: (event: PointerEvent<Target>) => finish(event, false),
    onPointerCancel: (event: PointerEvent<Target>) => finish(event, true),
    // The last to arrive, also where the element lost the pointer without another event.
    onLostPointerCapture: (event: PointerEvent<Target>) => finish(event, false),
  };
}
