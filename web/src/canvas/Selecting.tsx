/** Selection with a box or a lasso on the empty canvas, and the alignment guides of a drag. */

import { useKeyPress, type useReactFlow, ViewportPortal } from "@xyflow/react";
import { type RefObject, useEffect, useRef } from "react";
import type { Boxes } from "../document/arrange";
import type { Point } from "../document/graph";
import type { Guide } from "../document/snap";
import {
  boxOutline,
  cancelMarquee,
  type Marquee,
  type SelectionMode,
  selectionBy,
  useArranging,
} from "../state/editing/arranging";
import { boxesOf } from "../state/editing/boxes";
import { type Editor, useGesture } from "../state/session/editor";
import { setting } from "../state/session/settings";
import { select } from "../state/session/studio";
import { followPointer } from "../widgets/pointerDrag";
import type { FlowEdge, FlowNode } from "./flow";
import "./arrange.css";

type Flow = ReturnType<typeof useReactFlow<FlowNode, FlowEdge>>;

interface Drawing {
  kind: Marquee["kind"];
  /** The lasso began with Alt, so Alt does not also subtract. */
  byAlt: boolean;
  start: Point;
  points: Point[];
  before: readonly string[];
  boxes: Boxes;
}

const CLICK_DISTANCE = 4;

/**
 * Listens to the empty canvas. `taken` says whether another drag would start at a place, with Alt
 * or without.
 */
export function useSelecting(
  editor: Editor,
  flow: Flow,
  box: RefObject<HTMLElement | null>,
  taken: (at: Point, alt: boolean) => boolean,
): void {
  const space = useKeyPress("Space");
  const latest = useRef({ space, taken });
  latest.current = { space, taken };
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    return listen(editor, element, flow, latest);
  }, [editor, flow, box]);
}

function listen(
  editor: Editor,
  element: HTMLElement,
  flow: Flow,
  latest: RefObject<{ space: boolean; taken: (at: Point, alt: boolean) => boolean }>,
): () => void {
  let drawing: Drawing | null = null;
  let drawn = false;
  let stop = () => {};
  const at = (event: MouseEvent) =>
    flow.screenToFlowPosition({ x: event.clientX, y: event.clientY }, { snapToGrid: false });
  const press = (event: PointerEvent) => {
    drawn = false;
    if (event.button !== 0 || event.pointerType === "touch" || latest.current.space) return;
    if (!isPane(event.target)) return;
    const start = at(event);
    const draws = event.shiftKey || event.ctrlKey || event.metaKey;
    if (!draws && latest.current.taken(start, event.altKey)) return;
    const begun = beginDrawing(editor, event, start);
    if (begun === null) return;
    drawing = begun;
    stop = followPointer(event, element, {
      isBegun: ({ x, y }) => Math.hypot(x, y) >= CLICK_DISTANCE,
      move: (moved) => {
        // A command ended it.
        if (drawn && useArranging.getState().marquee === null) return stop();
        drawn = true;
        const marquee = extendMarquee(begun, at(moved), moved);
        useArranging.setState({ marquee });
        select(editor, selectionBy(marquee, begun.boxes), []);
      },
      cancel: () => cancelMarquee(editor),
      done: () => {
        drawing = null;
        useArranging.setState({ marquee: null });
      },
    });
  };
  const keepView = (event: MouseEvent) => {
    if (drawing !== null) blockCanvas(event);
  };
  const click = (event: MouseEvent) => {
    if (drawn) event.stopPropagation();
    drawn = false;
  };
  const listening = new AbortController();
  const before = { capture: true, signal: listening.signal };
  element.addEventListener("pointerdown", press, before);
  element.addEventListener("mousedown", keepView, before);
  element.addEventListener("click", click, before);
  return () => {
    listening.abort();
    stop();
  };
}

/** The selection shape that a press begins; null where it moves the view. */
function beginDrawing(editor: Editor, event: PointerEvent, start: Point): Drawing | null {
  const kind = kindOf(event);
  if (kind === null) return null;
  return {
    kind,
    byAlt: event.altKey && kind === "lasso",
    start,
    points: [start],
    before: editor.tab.selected,
    boxes: boxesOf(editor),
  };
}

/** Stops React Flow from moving the view. A focused field still has to lose the focus. */
function blockCanvas(event: MouseEvent): void {
  event.stopPropagation();
  event.preventDefault();
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
}

/** The shape that a drag with these keys selects by; null where it moves the view. */
function kindOf(event: MouseEvent): Marquee["kind"] | null {
  const tool = setting("calotype.drag");
  const isBox = event.ctrlKey || event.metaKey;
  if (isBox) return "box";
  if (tool === "lasso") return "lasso";
  if (event.altKey) return "lasso";
  return tool === "select" || event.shiftKey ? "box" : null;
}

function extendMarquee(drawing: Drawing, now: Point, event: MouseEvent): Marquee {
  const { kind, start, points, before, byAlt } = drawing;
  const mode: SelectionMode = event.shiftKey
    ? "add"
    : event.altKey && !byAlt
      ? "subtract"
      : "replace";
  if (kind === "box") return { kind, mode, before, outline: boxOutline(start, now) };
  points.push(now);
  return { kind, mode, before, outline: [...points] };
}

function isPane(target: EventTarget | null): boolean {
  // Nodes and wires are inside the pane element: only the pane itself is empty.
  return target instanceof Element && target.matches(".react-flow__pane");
}

/** The selection shape, and the lines on which a dragged node aligns with its neighbours. */
const NO_GUIDES: readonly Guide[] = [];

export function SelectionOverlay() {
  const marquee = useGesture(useArranging, (state) => state.marquee, null);
  const guides = useGesture(useArranging, (state) => state.guides, NO_GUIDES);
  if (marquee === null && guides.length === 0) return null;
  return (
    <ViewportPortal>
      <svg className="arranging" aria-hidden="true">
        {marquee !== null && (
          <polygon
            className={`marquee ${marquee.kind} ${marquee.mode}`}
            points={marquee.outline.map(({ x, y }) => `${x},${y}`).join(" ")}
          />
        )}
        {guides.map(({ axis, at, from, to }) => (
          <line
            key={`${axis} ${at}`}
            className="guide"
            {...(axis === "x"
              ? { x1: at, x2: at, y1: from, y2: to }
              : { x1: from, x2: to, y1: at, y2: at })}
          />
        ))}
      </svg>
    </ViewportPortal>
  );
}
