/** Long presses of a finger: they open the context menu, or the palette over the empty canvas. */
import type { useReactFlow } from "@xyflow/react";
import { type RefObject, useEffect } from "react";
import type { Point } from "../document/graph";
import { useView } from "../state/session/view";
import type { FlowEdge, FlowNode } from "./flow";

type Flow = ReturnType<typeof useReactFlow<FlowNode, FlowEdge>>;

const LONG_PRESS_TIME = 480;
const MAX_MOVEMENT = 10;

export function useLongPress(flow: Flow, box: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    return listen(element, (target, screen) => open(target, screen, flow));
  }, [flow, box]);
}

function listen(
  element: HTMLElement,
  onLongPress: (target: Element, screen: Point) => void,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let start: Point = { x: 0, y: 0 };
  const fingers = new Set<number>();
  let isLongPress = false;
  const stop = () => clearTimeout(timer);
  const press = (event: PointerEvent) => {
    if (event.pointerType !== "touch" || !(event.target instanceof Element)) return;
    const { target } = event;
    fingers.add(event.pointerId);
    stop();
    isLongPress = false;
    start = { x: event.clientX, y: event.clientY };
    if (fingers.size > 1 || target.closest("input, textarea, button") !== null) return;
    timer = setTimeout(() => {
      isLongPress = true;
      onLongPress(target, start);
    }, LONG_PRESS_TIME);
  };
  const move = (event: PointerEvent) => {
    if (Math.hypot(event.clientX - start.x, event.clientY - start.y) > MAX_MOVEMENT) stop();
  };
  const lift = (event: PointerEvent) => {
    fingers.delete(event.pointerId);
    stop();
  };
  /** Lifting the finger must not close what the long press opened. */
  const click = (event: MouseEvent) => {
    if (isLongPress) event.stopPropagation();
    isLongPress = false;
  };
  element.addEventListener("pointerdown", press, true);
  element.addEventListener("click", click, true);
  window.addEventListener("pointermove", move, true);
  window.addEventListener("pointerup", lift, true);
  window.addEventListener("pointercancel", lift, true);
  return () => {
    stop();
    element.removeEventListener("pointerdown", press, true);
    element.removeEventListener("click", click, true);
    window.removeEventListener("pointermove", move, true);
    window.removeEventListener("pointerup", lift, true);
    window.removeEventListener("pointercancel", lift, true);
  };
}

/**
 * Sends the context menu event that some browsers send themselves after a long press; opens the
 * palette over the empty canvas.
 */
function open(target: Element, screen: Point, flow: Flow): void {
  const menuEvent = new MouseEvent("contextmenu", {
    bubbles: true,
    cancelable: true,
    clientX: screen.x,
    clientY: screen.y,
  });
  const isHandled = !target.dispatchEvent(menuEvent);
  if (isHandled || target.closest(".react-flow__pane") === null) return;
  if (target.closest(".react-flow__node") !== null) return;
  useView.setState({
    palette: { screen, at: flow.screenToFlowPosition(screen), pulled: null },
  });
}
