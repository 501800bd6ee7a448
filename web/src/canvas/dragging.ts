/** Dragging painted nodes: in the overview there is no element that could be taken hold of. */
import type { useReactFlow } from "@xyflow/react";
import { type RefObject, useEffect } from "react";
import type { Point } from "../document/graph";
import { dragTo, endDrag } from "../state/moving";
import { cornerOf } from "../state/shape";
import { activeTab, select } from "../state/studio";
import type { FlowEdge, FlowNode } from "./flow";
import { nodeAt } from "./nodeAt";

type Flow = ReturnType<typeof useReactFlow<FlowNode, FlowEdge>>;

interface Held {
  pointer: number;
  node: string;
  screen: Point;
  start: Point;
  /** Where the nodes were; null until the pointer has gone some way. */
  from: ReadonlyMap<string, Point> | null;
}

const CLICK = 4;

/** Hears the pointer over what is painted, while something is. */
export function useDragging(
  flow: Flow,
  box: RefObject<HTMLElement | null>,
  overview: boolean,
): void {
  useEffect(() => {
    const element = box.current;
    if (element === null || !overview) return;
    return hear(element, flow);
  }, [flow, box, overview]);
}

function hear(element: HTMLElement, flow: Flow): () => void {
  let held: Held | null = null;
  let dragged = false;
  const at = (event: MouseEvent) =>
    flow.screenToFlowPosition({ x: event.clientX, y: event.clientY }, { snapToGrid: false });
  const press = (event: PointerEvent) => {
    dragged = false;
    const plain = !(event.shiftKey || event.ctrlKey || event.metaKey || event.altKey);
    // One finger moves the view: what is under it is too small to be meant.
    if (event.button !== 0 || !plain || event.pointerType === "touch" || !isPane(event.target)) {
      return;
    }
    const start = at(event);
    const node = nodeAt(start);
    if (node === null) return;
    const screen = { x: event.clientX, y: event.clientY };
    held = { pointer: event.pointerId, node, screen, start, from: null };
  };
  const keepView = (event: MouseEvent) => {
    if (held !== null) takeFromView(event);
  };
  const move = (event: PointerEvent) => {
    if (held === null || event.pointerId !== held.pointer) return;
    const { screen, start } = held;
    if (held.from === null) {
      if (Math.hypot(event.clientX - screen.x, event.clientY - screen.y) < CLICK) return;
      if (!activeTab().selected.includes(held.node)) select([held.node]);
      held.from = cornersOf(activeTab().selected);
      dragged = true;
    }
    const now = at(event);
    const by = { x: now.x - start.x, y: now.y - start.y };
    const wished = [...held.from].map(([key, { x, y }]) => [key, { x: x + by.x, y: y + by.y }]);
    dragTo(Object.fromEntries(wished));
  };
  const release = () => {
    if (held?.from != null) endDrag();
    held = null;
  };
  /** A drag is no click on what it ended over. */
  const click = (event: MouseEvent) => {
    if (dragged) event.stopPropagation();
    dragged = false;
  };
  element.addEventListener("pointerdown", press, true);
  element.addEventListener("mousedown", keepView, true);
  element.addEventListener("click", click, true);
  window.addEventListener("pointermove", move);
  window.addEventListener("pointerup", release);
  window.addEventListener("pointercancel", release);
  return () => {
    element.removeEventListener("pointerdown", press, true);
    element.removeEventListener("mousedown", keepView, true);
    element.removeEventListener("click", click, true);
    window.removeEventListener("pointermove", move);
    window.removeEventListener("pointerup", release);
    window.removeEventListener("pointercancel", release);
    release();
  };
}

/** The view is not moved by what moves nodes. */
function takeFromView(event: MouseEvent): void {
  event.stopPropagation();
  event.preventDefault();
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
}

function cornersOf(keys: readonly string[]): ReadonlyMap<string, Point> {
  const { nodes } = activeTab().graph;
  return new Map(
    keys.flatMap((key): [string, Point][] => {
      const node = nodes[key];
      return node === undefined ? [] : [[key, cornerOf(node)]];
    }),
  );
}

function isPane(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest(".react-flow__pane") !== null;
}
