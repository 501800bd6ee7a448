/**
 * Wires that are too many for elements are painted on one canvas element. Selected wires, and the
 * one under the pointer, are still elements: a painted wire becomes an element when the pointer is
 * near.
 */

import { type ReactFlowState, useReactFlow, useStore } from "@xyflow/react";
import { type RefObject, useEffect, useMemo, useRef, useState } from "react";
import type { Point } from "../document/graph";
import { wireAt } from "../state/editing/connecting";
import { usePulling } from "../state/editing/pull";
import { useWiring } from "../state/editing/wiring";
import { type Editor, useEditor, useGesture } from "../state/session/editor";
import type { FlowEdge } from "./flow";

/**
 * From this many wires on the screen, wires are painted; from the lower number down, they are
 * elements again.
 */
const PAINT_FROM = 300;
const ELEMENTS_BELOW = 240;
/** The distance from a wire within which the pointer is near it, in pixels. */
const NEAR_DISTANCE = 8;

const NONE: readonly string[] = [];

interface PaintedWires {
  /** The wires that are elements of the page. */
  edges: FlowEdge[];
  /** The painted wires; null while all are elements. */
  painted: ReadonlySet<string> | null;
}

export function usePaintedWires(
  box: RefObject<HTMLElement | null>,
  edges: FlowEdge[],
  overview: boolean,
): PaintedWires {
  const isMany = useMany(edges, overview);
  const lit = useGesture(useWiring, (state) => state.lit, NONE);
  const over = useGesture(useWiring, (state) => state.over, null);
  const nearWire = useNear(box, isMany);
  return useMemo(() => {
    if (!isMany) return { edges, painted: null };
    const kept = new Set([...lit, over, nearWire]);
    const [shown, painted] = [[] as FlowEdge[], new Set<string>()];
    for (const each of edges) {
      if (each.selected || kept.has(each.id)) shown.push(each);
      else painted.add(each.id);
    }
    return { edges: shown, painted };
  }, [isMany, edges, lit, over, nearWire]);
}

/** Whether there are too many wires on the screen for elements. */
function useMany(edges: readonly FlowEdge[], overview: boolean): boolean {
  const before = useRef(false);
  const choose = useMemo(() => {
    let counted: Partial<ReactFlowState> = {};
    return (state: ReactFlowState) => {
      const { transform, width, height } = state;
      // Depends on the view alone: dragging must not change the mode.
      const isSame = counted.width === width && counted.height === height;
      if (isSame && counted.transform === transform && width > 0) return before.current;
      counted = { transform, width, height };
      const limit = before.current ? ELEMENTS_BELOW : PAINT_FROM;
      before.current =
        !overview && edges.length > limit && countVisible(edges, state, limit) > limit;
      return before.current;
    };
  }, [edges, overview]);
  return useStore(choose);
}

/** The number of wires that may be on the screen; stops counting at the limit. */
function countVisible(
  edges: readonly FlowEdge[],
  { transform: [x, y, zoom], width, height, nodeLookup }: ReactFlowState,
  most: number,
): number {
  const [left, top] = [-x / zoom, -y / zoom];
  const [right, bottom] = [left + width / zoom, top + height / zoom];
  let count = 0;
  for (const { source, target } of edges) {
    const [from, to] = [nodeLookup.get(source), nodeLookup.get(target)];
    if (from === undefined || to === undefined) continue;
    const [a, b] = [from.internals.positionAbsolute, to.internals.positionAbsolute];
    const start = a.x + (from.measured.width ?? 0);
    const low = Math.max(a.y + (from.measured.height ?? 0), b.y + (to.measured.height ?? 0));
    const isVisible =
      Math.max(start, b.x) > left &&
      Math.min(start, b.x) < right &&
      low > top &&
      Math.min(a.y, b.y) < bottom;
    if (isVisible) count += 1;
    if (count > most) break;
  }
  return count;
}

/**
 * The painted wire near the pointer. It stays the same while a button is pressed, since its end may
 * be pulled.
 */
function useNear(box: RefObject<HTMLElement | null>, isMany: boolean): string | null {
  const [nearWire, setNear] = useState<string | null>(null);
  const flow = useReactFlow();
  const editor = useEditor();
  useEffect(() => {
    const element = box.current;
    if (element === null || !isMany) return;
    const onPointerMove = (event: PointerEvent) => {
      if (event.buttons !== 0 || usePulling.getState().pull !== null) return;
      const screen = { x: event.clientX, y: event.clientY };
      const at = flow.screenToFlowPosition(screen, { snapToGrid: false });
      setNear(isOverGraph(event.target) ? paintedWireAt(editor, at, flow.getZoom()) : null);
    };
    const onPointerLeave = () => setNear(null);
    element.addEventListener("pointermove", onPointerMove);
    element.addEventListener("pointerleave", onPointerLeave);
    return () => {
      element.removeEventListener("pointermove", onPointerMove);
      element.removeEventListener("pointerleave", onPointerLeave);
      onPointerLeave();
    };
  }, [box, isMany, flow, editor]);
  return nearWire;
}

/** The wire whose line is at a place of the graph, or near it on the screen. */
export function paintedWireAt(editor: Editor, at: Point, zoom: number): string | null {
  return wireAt(editor, at, NEAR_DISTANCE / zoom, () => true);
}

function isOverGraph(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest(".react-flow__pane, .wire") !== null;
}
