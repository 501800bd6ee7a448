/**
 * What the pointer does on the canvas besides pulling wires: it selects by a box or a lasso, drags
 * painted nodes, and a long press opens menus. Loaded after the first graph is drawn.
 */
import { useReactFlow } from "@xyflow/react";
import type { RefObject } from "react";
import type { Point } from "../document/graph";
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
  useDragging(editor, flow, box, overview);
  useSelecting(editor, flow, box, isTaken);
  useLongPress(flow, box);
  return <SelectionOverlay />;
}
