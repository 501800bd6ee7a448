/**
 * Clicks, double clicks and drops on the canvas, for nodes that are elements and for painted ones.
 */

import type { useReactFlow } from "@xyflow/react";
import { type DragEvent, type MouseEvent, type RefObject, useMemo } from "react";
import type { Box } from "../document/arrange";
import { frameBox, frameOf } from "../document/frames";
import type { Point } from "../document/graph";
import { enter } from "../state/editing/levels";
import { openFiles } from "../state/files/files";
import { boundsOf } from "../state/nodes/shape";
import { isInstance } from "../state/outcomes/places";
import { DRAGGED } from "../state/results/dragged";
import { type Editor, useEditor } from "../state/session/editor";
import { animationDuration } from "../state/session/motion";
import { useView } from "../state/session/view";
import { clickNode, clickPainted, isAdding } from "./clickNode";
import { clickWire } from "./clickWire";
import type { FlowEdge, FlowNode } from "./flow";
import { frameAt } from "./frameTitles";
import { nodeAt } from "./nodeAt";
import { paintedWireAt } from "./paintedWires";

type Flow = ReturnType<typeof useReactFlow<FlowNode, FlowEdge>>;

/** What is painted now, and so has no element to click. */
interface Painted {
  overview: boolean;
  isPainted: boolean;
}

/**
 * Handlers that keep their identity until what is painted changes: React Flow updates on new ones.
 */
export function usePointing(
  _editor: Editor,
  flow: Flow,
  pointer: RefObject<Point | null>,
  { overview, isPainted }: Painted,
) {
  const editor = useEditor();
  return useMemo(() => {
    const positionOf = (event: MouseEvent) =>
      flow.screenToFlowPosition(screenOf(event), { snapToGrid: false });
    const pane = {
      onPaneClick: (event: MouseEvent) => {
        const at = positionOf(event);
        const frame = overview ? frameAt(editor.graph, at, flow.getZoom()) : null;
        if (frame !== null) {
          void import("../state/editing/framing").then((module) =>
            module.selectFrame(editor, frame),
          );
          return;
        }
        const key = overview ? nodeAt(editor, at) : null;
        const wire = isPainted ? paintedWireAt(editor, at, flow.getZoom()) : null;
        if (wire !== null && !(isAdding(event) && key !== null)) clickWire(editor, event, wire);
        else clickPainted(editor, event, key);
      },
      onNodeClick: (event: MouseEvent, node: FlowNode) => clickNode(editor, event, node),
      onMouseMove: (event: MouseEvent) => {
        pointer.current = screenOf(event);
      },
    };
    const box = {
      onDoubleClick: (event: MouseEvent) => {
        if (enterAt(editor, event.target) || !isPane(event.target)) return;
        const at = positionOf(event);
        const frame = overview ? frameAt(editor.graph, at, flow.getZoom()) : null;
        const key = overview && frame === null ? nodeAt(editor, at) : null;
        if (key !== null && isInstance(editor.tab, key)) {
          enter(editor, key);
          return;
        }
        const bounds = boundsAt(editor, key, frame);
        if (bounds !== null)
          void flow.fitBounds(bounds, { padding: 0.6, duration: animationDuration() });
        else {
          const screen = screenOf(event);
          const place = flow.screenToFlowPosition(screen);
          useView.setState({ palette: { screen, at: place, pulled: null } });
        }
      },
      onDragOver: (event: DragEvent) => event.preventDefault(),
      onDrop: (event: DragEvent) => drop(editor, event, flow),
    };
    return { pane, box };
  }, [editor, flow, pointer, overview, isPainted]);
}

/** Takes in a dropped result from the dock, or a dropped file. */
function drop(editor: Editor, event: DragEvent, flow: Flow): void {
  event.preventDefault();
  const screen = screenOf(event);
  const dragged = event.dataTransfer.getData(DRAGGED);
  const { target } = event;
  if (dragged !== "") {
    void import("../state/results/results").then((module) =>
      module.takeDropped(editor, dragged, target, screen),
    );
    return;
  }
  void openFiles(editor, event.dataTransfer.files, flow.screenToFlowPosition(screen));
}

function screenOf({ clientX: x, clientY: y }: MouseEvent): Point {
  return { x, y };
}

/** The bounds of a node or a frame in the graph. */
function boundsAt({ graph }: Editor, node: string | null, frame: string | null): Box | null {
  const group = frameOf(graph, frame ?? "");
  if (group !== undefined) return frameBox(group);
  return node === null ? null : boundsOf(graph, [node]);
}

/** Opens the subgraph of the instance that was double-clicked; false if it was none. */
function enterAt(editor: Editor, target: EventTarget): boolean {
  if (!(target instanceof Element) || target.closest("input, textarea, button, .field") !== null) {
    return false;
  }
  const key = target.closest<HTMLElement>("[data-node]")?.dataset.node;
  if (key === undefined || !isInstance(editor.tab, key)) return false;
  enter(editor, key);
  return true;
}

function isPane(target: EventTarget): boolean {
  // Nodes and wires are inside the pane element: only the pane itself is empty.
  return target instanceof Element && target.matches(".react-flow__pane");
}
