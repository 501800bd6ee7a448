/**
 * What the pointer does on the canvas besides pulling wires: it selects by a box or a lasso, drags
 * painted nodes, and a long press opens menus. Loaded after the first graph is drawn.
 */
import { useReactFlow } from "@xyflow/react";
import { type RefObject, useEffect } from "react";
import type { Point } from "../document/graph";
import { setFreePlacement } from "../state/editing/moving";
import { useEditor } from "../state/session/editor";
import { draggedAt, useDragging } from "./dragging";
import type { FlowEdge, FlowNode } from "./flow";
import { SelectionOverlay, useSelecting } from "./Selecting";
import { useLongPress } from "./touch";

interface Props {
  box: RefObject<HTMLElement | null>;
  /** Nodes are painted, so there are no elements to drag. */
  overview: boolean;
}

export function Gestures({ box, overview }: Props) {
  const flow = useReactFlow<FlowNode, FlowEdge>();
  const editor = useEditor();
  const isTaken = (at: Point, alt: boolean) =>
    overview && draggedAt(editor, at, flow.getZoom(), alt) !== null;
  useFreePlacement();
  useDragging(editor, flow, box, overview);
  useSelecting(editor, flow, box, isTaken);
  useLongPress(flow, box);
  return <SelectionOverlay />;
}

/** While Ctrl is held, what is dragged is not placed on the grid or on lines of its neighbours. */
function useFreePlacement(): void {
  useEffect(() => {
    const read = (event: PointerEvent) => setFreePlacement(event.ctrlKey || event.metaKey);
    window.addEventListener("pointermove", read, true);
    return () => window.removeEventListener("pointermove", read, true);
  }, []);
}
