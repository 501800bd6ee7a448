/** Views that show whole nodes in the part of the canvas that the run bar does not cover. */

import { getViewportForBounds, type useReactFlow, useStoreApi } from "@xyflow/react";
import { type RefObject, useEffect } from "react";
import type { Size } from "../document/graph";
import { drawnBounds } from "../state/editing/boxes";
import { type Editor, useEditor } from "../state/session/editor";
import { animationDuration } from "../state/session/motion";
import { setViewport, type Viewport } from "../state/session/studio";
import { useView } from "../state/session/view";
import type { FlowEdge, FlowNode } from "./flow";

type Flow = Pick<
  ReturnType<typeof useReactFlow<FlowNode, FlowEdge>>,
  "getViewport" | "setViewport"
>;

export const MIN_ZOOM = 0.05;
/** The largest zoom of a fitted view: nodes are never larger than they are. */
const MAX_FIT_ZOOM = 1;
/** The height of the run bar with its margins, in pixels. */
export const RUN_BAR = 66;
/** The largest share of a canvas's height that a fitted view leaves for the run bar. */
const MAX_RUN_BAR_SHARE = 0.3;
/** Around the whole graph, and around single nodes, in pixels. */
const MARGIN = 12;
const MARGIN_OF_SOME = 40;
/** Two views are equal if no point in them differs by more than this, in pixels. */
const TOLERANCE = 1;

type Box = Size & { x: number; y: number };

/** The view that shows a whole box of the graph; `margin` is in pixels. */
export function fittedView(bounds: Box, { width, height }: Size, margin = MARGIN): Viewport {
  const below = Math.round(Math.min(RUN_BAR, height * MAX_RUN_BAR_SHARE));
  const padding = { x: `${margin}px`, top: `${margin}px`, bottom: `${below}px` } as const;
  return getViewportForBounds(bounds, width, height, MIN_ZOOM, MAX_FIT_ZOOM, padding);
}

/**
 * The view for a canvas of another size: fitted again if it was fitted before. Null if the user has
 * moved the view, which then stays.
 */
export function refitted(view: Viewport, bounds: Box, before: Size, after: Size): Viewport | null {
  const fitted = fittedView(bounds, before);
  const zoomError = Math.abs(view.zoom - fitted.zoom) * Math.max(bounds.width, bounds.height);
  const isFitted =
    Math.hypot(view.x - fitted.x, view.y - fitted.y) <= TOLERANCE &&
    zoomError <= TOLERANCE &&
    after.width > 0;
  return isFitted ? fittedView(bounds, after) : null;
}

/** Whether the stored view of a document shows it whole on a canvas of this size. */
export function isFitted(editor: Editor, size: Size): boolean {
  const { viewport } = editor.tab;
  const bounds = drawnBounds(editor);
  return viewport !== null && bounds !== null && refitted(viewport, bounds, size, size) !== null;
}

/** Shows these nodes, or all if none is named, on a canvas of this size. */
export function showNodes(
  editor: Editor,
  flow: Pick<Flow, "setViewport">,
  size: Size,
  keys: readonly string[] = [],
): void {
  const bounds = drawnBounds(editor, keys);
  if (bounds === null || size.width === 0) return;
  const view = fittedView(bounds, size, keys.length > 0 ? MARGIN_OF_SOME : MARGIN);
  void flow.setViewport(view, { duration: animationDuration() });
}

/** Fits a document that was never shown before, and keeps a fitted view fitted. */
export function useFittedView(flow: Flow, box: RefObject<HTMLElement | null>): void {
  const editor = useEditor();
  useInitialFit(editor, flow, box);
  useRefitOnResize(editor, flow);
}

function useInitialFit(editor: Editor, flow: Flow, box: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const { viewport } = editor.tab;
    const bounds = drawnBounds(editor);
    if (viewport !== null || bounds === null || box.current === null) return;
    const { clientWidth: width, clientHeight: height } = box.current;
    const view = fittedView(bounds, { width, height });
    void flow.setViewport(view).then(() => setViewport(editor.id, view));
  }, [editor, flow, box]);
}

/** Fits a view that shows the whole graph again when panels open or the window is resized. */
function useRefitOnResize(editor: Editor, flow: Flow): void {
  const store = useStoreApi();
  useEffect(() => {
    let { stage } = useView.getState();
    return store.subscribe((now, before) => {
      if (before.width === 0 || (now.width === before.width && now.height === before.height)) {
        return;
      }
      // The stage opens by itself: the fields beside it keep their place and size.
      const isStage = stage !== useView.getState().stage;
      stage = useView.getState().stage;
      if (isStage) return;
      const bounds = drawnBounds(editor);
      const view = bounds && refitted(flow.getViewport(), bounds, before, now);
      if (view == null) return;
      void flow.setViewport(view).then(() => setViewport(editor.id, view));
    });
  }, [editor, flow, store]);
}
