/** Dragging of painted nodes and frames: in the overview there are no elements to drag. */

import type { useReactFlow } from "@xyflow/react";
import { type RefObject, useEffect } from "react";
import type { Point } from "../document/graph";
import { useArranging } from "../state/editing/arranging";
import { beginDrag, cancelDrag, dragTo, endDrag } from "../state/editing/moving";
import { frameMover } from "../state/editing/movingFrames";
import { cornerOf } from "../state/nodes/shape";
import { type Editor, useEditor } from "../state/session/editor";
import { select } from "../state/session/studio";
import { followPointer } from "../widgets/pointerDrag";
import type { FlowEdge, FlowNode } from "./flow";
import { frameAt } from "./frameTitles";
import { nodeAt } from "./nodeAt";
import { dropDrag, finishDrag, followDrag, startDrag } from "./nodeDrag";

type Flow = ReturnType<typeof useReactFlow<FlowNode, FlowEdge>>;

/** A drag in progress. */
interface DragSteps {
  /** `by` is how far the pointer has moved since it was pressed, in graph coordinates. */
  step: (by: Point, event: PointerEvent) => void;
  end: () => void;
}

const CLICK_DISTANCE = 4;

/** Listens to the pointer over painted nodes and frames, while the overview is shown. */
export function useDragging(
  _editor: Editor,
  flow: Flow,
  box: RefObject<HTMLElement | null>,
  overview: boolean,
): void {
  const editor = useEditor();
  // A drag ends when its canvas is unmounted.
  useEffect(() => () => dropDrag(editor), [editor]);
  useEffect(() => {
    const element = box.current;
    if (element === null || !overview) return;
    return listen(editor, element, flow);
  }, [editor, flow, box, overview]);
}

function listen(editor: Editor, element: HTMLElement, flow: Flow): () => void {
  let isPressed = false;
  let dragged = false;
  let stop = () => {};
  const at = (event: MouseEvent) =>
    flow.screenToFlowPosition({ x: event.clientX, y: event.clientY }, { snapToGrid: false });
  const press = (event: PointerEvent) => {
    dragged = false;
    const plain = !(event.shiftKey || event.ctrlKey || event.metaKey);
    // One finger moves the view: nodes under it are too small to aim at.
    if (event.button !== 0 || !plain || event.pointerType === "touch" || !isPane(event.target)) {
      return;
    }
    const start = at(event);
    const item = draggedAt(editor, start, flow.getZoom(), event.altKey);
    if (item === null) return;
    isPressed = true;
    let drag: DragSteps | null = null;
    stop = followPointer(event, element, {
      isBegun: ({ x, y }) => Math.hypot(x, y) >= CLICK_DISTANCE,
      move: (moved) => {
        drag ??=
          item.kind === "frame" ? dragFrame(editor, item.key) : dragNodes(editor, item.key, event);
        dragged = true;
        const now = at(moved);
        drag.step({ x: now.x - start.x, y: now.y - start.y }, moved);
      },
      end: () => drag?.end(),
      cancel: () => {
        cancelDrag(editor);
        drag?.end();
      },
      done: () => {
        isPressed = false;
      },
    });
  };
  const keepView = (event: MouseEvent) => {
    if (isPressed) blockCanvas(event);
  };
  /** The click that follows a drag must not act on what is under the pointer. */
  const click = (event: MouseEvent) => {
    if (dragged) event.stopPropagation();
    dragged = false;
  };
  const listening = new AbortController();
  const first = { capture: true, signal: listening.signal };
  element.addEventListener("pointerdown", press, first);
  element.addEventListener("mousedown", keepView, first);
  element.addEventListener("click", click, first);
  return () => {
    listening.abort();
    stop();
  };
}

/** The painted frame or node at a place of the graph that can be dragged; null for none. */
function paintedAt(
  editor: Editor,
  at: Point,
  zoom: number,
): { kind: "frame" | "node"; key: string } | null {
  const frame = frameAt(editor.graph, at, zoom);
  if (frame !== null) return { kind: "frame", key: frame };
  const node = nodeAt(editor, at);
  return node === null ? null : { kind: "node", key: node };
}

/** What a drag from a place would move. With Alt nodes are copied, and frames are not dragged. */
export function draggedAt(
  editor: Editor,
  at: Point,
  zoom: number,
  alt: boolean,
): ReturnType<typeof paintedAt> {
  const painted = paintedAt(editor, at, zoom);
  return alt && painted?.kind === "frame" ? null : painted;
}

function dragFrame(editor: Editor, key: string): DragSteps {
  beginDrag(editor);
  useArranging.setState({ dragging: true });
  return { step: frameMover(editor, key), end: () => endDrag(editor) };
}

/** As for nodes that are elements: dropping on a wire inserts, shaking disconnects, Alt copies. */
function dragNodes(editor: Editor, node: string, pressed: PointerEvent): DragSteps {
  startDrag(editor, pressed);
  if (!editor.tab.selected.includes(node)) select(editor, [node]);
  const from = [...cornersOf(editor, editor.tab.selected)];
  const keys = from.map(([key]) => key);
  return {
    step: (by, event) => {
      const places = from.map(([key, { x, y }]) => [key, { x: x + by.x, y: y + by.y }]);
      dragTo(editor, Object.fromEntries(places));
      followDrag(event, keys);
    },
    end: () => finishDrag(editor, keys),
  };
}

/** Stops React Flow from moving the view while nodes are dragged. */
function blockCanvas(event: MouseEvent): void {
  event.stopPropagation();
  event.preventDefault();
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
}

function cornersOf({ graph }: Editor, keys: readonly string[]): ReadonlyMap<string, Point> {
  const { nodes } = graph;
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
