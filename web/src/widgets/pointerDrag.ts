/**
 * Dragging by pointer, the same everywhere: moves arrive wherever the pointer goes, and the drag
 * ends once, whether it is released, cancelled by the system or by Escape, or loses the pointer.
 */
import { type RefObject, useEffect, useLayoutEffect, useRef } from "react";

interface Distance {
  x: number;
  y: number;
}

interface Steps {
  /** Whether the pointer, this far from where it was pressed, drags. Without it: at once. */
  isBegun?: (by: Distance) => boolean;
  move: (event: PointerEvent) => void;
  /** Called once when the drag is over; not where it was cancelled and `cancel` is given. */
  end?: (event: PointerEvent | null) => void;
  /** Called instead of `end` by Escape, or where the pointer is taken away: undoes the drag. */
  cancel?: () => void;
  /** Called when the pointer is released before the drag began. */
  click?: (event: PointerEvent) => void;
  /** Called last, however it ended. */
  done?: () => void;
}

/**
 * Follows a pressed pointer until the drag is over. `holder` captures it when the drag begins, so
 * that it is followed over frames of other pages, too; it has to stay in the page. Returns a
 * function that cancels the drag; it does nothing afterwards.
 */
export function followPointer(pressed: PointerEvent, holder: Element, steps: Steps): () => void {
  const { pointerId, pointerType, clientX, clientY } = pressed;
  const following = new AbortController();
  const { signal } = following;
  let isDragging = false;
  const begin = () => {
    isDragging = true;
    holder.setPointerCapture(pointerId);
  };
  const end = (event: PointerEvent) => {
    if (signal.aborted) return;
    following.abort();
    if (isDragging) steps.end?.(event);
    else if (event.type === "pointerup") steps.click?.(event);
    steps.done?.();
  };
  const cancel = () => {
    if (signal.aborted) return;
    following.abort();
    if (holder.hasPointerCapture(pointerId)) holder.releasePointerCapture(pointerId);
    if (isDragging && steps.cancel !== undefined) steps.cancel();
    else if (isDragging) steps.end?.(null);
    steps.done?.();
  };
  const move = (event: PointerEvent) => {
    // The button was released outside of the page.
    if (pointerType === "mouse" && event.buttons === 0) return end(event);
    const by = { x: event.clientX - clientX, y: event.clientY - clientY };
    if (!isDragging && steps.isBegun?.(by) !== false) begin();
    if (isDragging) steps.move(event);
  };
  const key = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !isDragging) return;
    event.preventDefault();
    event.stopPropagation();
    cancel();
  };
  const ofPointer = (act: (event: PointerEvent) => void) => (event: PointerEvent) => {
    if (event.pointerId === pointerId) act(event);
  };
  // In the capture phase: neither what is under the pointer nor a field with the focus can stop it.
  const first = { capture: true, signal };
  window.addEventListener("pointermove", ofPointer(move), first);
  window.addEventListener("pointerup", ofPointer(end), first);
  window.addEventListener("pointercancel", ofPointer(cancel), first);
  window.addEventListener("keydown", key, first);
  window.addEventListener("blur", cancel, { signal });
  const lose = (event: Event) => {
    // A finger is captured by what it pressed first, which loses it to the holder.
    if (event.target === holder) ofPointer(end)(event as PointerEvent);
  };
  holder.addEventListener("lostpointercapture", lose, { signal });
  if (steps.isBegun === undefined) begin();
  return cancel;
}

interface PointerDrag<Start, Target extends Element> {
  /** A press of the main button; what it returns is passed on. Null: no drag. */
  begin: (event: React.PointerEvent<Target>) => Start | null;
  isBegun?: (by: Distance, start: Start) => boolean;
  move: (start: Start, event: PointerEvent, element: Target) => void;
  end?: (start: Start, event: PointerEvent | null, element: Target) => void;
  cancel?: (start: Start, element: Target) => void;
  click?: (start: Start, event: PointerEvent, element: Target) => void;
  /** Captures the pointer where the element itself is moved in the page, else the element. */
  holder?: RefObject<Element | null>;
}

/** The handler of presses on an element that is dragged: see `followPointer`. */
export function usePointerDrag<Start, Target extends Element>(drag: PointerDrag<Start, Target>) {
  const latest = useRef(drag);
  const cancel = useRef<(() => void) | null>(null);
  useLayoutEffect(() => {
    latest.current = drag;
  });
  useEffect(() => () => cancel.current?.(), []);
  return {
    onPointerDown: (event: React.PointerEvent<Target>) => {
      if (event.button !== 0 || cancel.current !== null) return;
      const start = drag.begin(event);
      if (start === null) return;
      const element = event.currentTarget;
      const { isBegun } = drag;
      cancel.current = followPointer(event.nativeEvent, drag.holder?.current ?? element, {
        ...(isBegun === undefined ? {} : { isBegun: (by) => isBegun(by, start) }),
        move: (moved) => latest.current.move(start, moved, element),
        end: (ended) => latest.current.end?.(start, ended, element),
        cancel: () => {
          const { cancel: undo, end } = latest.current;
          if (undo === undefined) end?.(start, null, element);
          else undo(start, element);
        },
        click: (released) => latest.current.click?.(start, released, element),
        done: () => {
          cancel.current = null;
        },
      });
    },
  };
}
