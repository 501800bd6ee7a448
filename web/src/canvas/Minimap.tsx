/**
 * The map of the whole graph, with a frame around the part on the screen; dragging the frame moves
 * the view.
 */

import { useReactFlow, useStore, useStoreApi } from "@xyflow/react";
import { type RefObject, useCallback, useEffect, useMemo, useRef } from "react";
import { type Box, boundsOfBoxes, centreOf } from "../document/arrange";
import { frameBox } from "../document/frames";
import type { Point } from "../document/graph";
import { drawnBounds } from "../state/editing/boxes";
import { useRuns } from "../state/outcomes/runs";
import { useEditor, useTab } from "../state/session/editor";
import { useSetting } from "../state/session/settings";
import { setViewport } from "../state/session/studio";
import { usePointerDrag } from "../widgets/pointerDrag";
import { useDrawingOptions, useMarks } from "./looks";
import { cssOf, type Drawing, drawingOf, paintGraph } from "./paint";
import "./minimap.css";

const WIDTH = 180;
const HEIGHT = 112;
const PADDING = 8;
/**
 * How long after the last edit the map is painted again, in milliseconds: not at each step of a
 * drag.
 */
const REPAINT_DELAY = 120;
/** The least width and height of the frame, in pixels, however large the graph is. */
const MIN_SIZE = 6;

/** Scale and offset of the graph on the map. */
interface Fit {
  scale: number;
  left: number;
  top: number;
}

const NO_FIT: Fit = { scale: 1, left: 0, top: 0 };

export function Minimap() {
  const isShown = useSetting("calotype.minimap");
  const isEmpty = useTab((tab) => tab.graph.order.length === 0);
  const isWhole = useIsWhole();
  return isShown && !isEmpty && !isWhole ? <MapView /> : null;
}

/** Whether the whole graph is legible on the screen, so that a map of it shows nothing more. */
function useIsWhole(): boolean {
  const editor = useEditor();
  const graph = useTab((tab) => tab.graph);
  const shown = useRuns((state) => state.shown);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what nodes show changes their sizes
  const bounds = useMemo(() => drawnBounds(editor), [editor, graph, shown]);
  return useStore((state) => {
    if (bounds === null || state.width === 0) return true;
    if (state.transform[2] < LEGIBLE) return false;
    const view = viewOf(state);
    return (
      bounds.x >= view.x &&
      bounds.y >= view.y &&
      bounds.x + bounds.width <= view.x + view.width &&
      bounds.y + bounds.height <= view.y + view.height
    );
  });
}

/** Below this zoom, values on nodes are too small to read. */
const LEGIBLE = 0.8;

function MapView() {
  const editor = useEditor();
  const flow = useReactFlow();
  const store = useStoreApi();
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const fit = useRef<Fit>(NO_FIT);
  const place = useCallback(() => {
    if (frame.current !== null) putAt(frame.current, onMap(viewOf(store.getState()), fit.current));
  }, [store]);
  usePaint(canvas, fit, place);
  useFollowing(place);
  const placeOf = (event: { clientX: number; clientY: number }, map: Element): Point => {
    const { left, top } = map.getBoundingClientRect();
    return {
      x: (event.clientX - left) / fit.current.scale + fit.current.left,
      y: (event.clientY - top) / fit.current.scale + fit.current.top,
    };
  };
  const goTo = ({ x, y }: Point) => void flow.setCenter(x, y, { zoom: flow.getZoom() });
  const handlers = usePointerDrag<Point, HTMLDivElement>({
    /** Returns the way from the middle of the screen to the pressed point, in the graph. */
    begin: (event) => {
      const at = placeOf(event, event.currentTarget);
      const middle = event.target === frame.current ? centreOf(viewOf(store.getState())) : at;
      goTo(middle);
      return { x: at.x - middle.x, y: at.y - middle.y };
    },
    move: (offset, event, map) => {
      const { x, y } = placeOf(event, map);
      goTo({ x: x - offset.x, y: y - offset.y });
    },
    end: () => setViewport(editor.id, flow.getViewport()),
  });
  return (
    // For the pointer only: the keyboard has other ways to move the view, and the outline lists the
    // graph.
    <div
      className="minimap"
      aria-hidden
      data-testid="minimap"
      style={{ width: WIDTH, height: HEIGHT }}
      {...handlers}
    >
      <canvas ref={canvas} style={{ width: WIDTH, height: HEIGHT }} />
      <div ref={frame} className="seen" />
    </div>
  );
}

/** Places the frame at the start, and whenever the view moves. */
function useFollowing(place: () => void): void {
  const store = useStoreApi();
  useEffect(() => {
    place();
    return store.subscribe(place);
  }, [store, place]);
}

interface Screen {
  transform: readonly [number, number, number];
  width: number;
  height: number;
}

/** The part of the graph on the screen. */
function viewOf({ transform: [x, y, zoom], width, height }: Screen): Box {
  return { x: -x / zoom, y: -y / zoom, width: width / zoom, height: height / zoom };
}

function fitOf({ boxes, graph }: Drawing): Fit {
  const bounds = boundsOfBoxes([...boxes.values(), ...graph.groups.map(frameBox)]);
  if (bounds === null) return NO_FIT;
  const [width, height] = [WIDTH - 2 * PADDING, HEIGHT - 2 * PADDING];
  const scale = Math.min(width / bounds.width, height / bounds.height);
  return {
    scale,
    left: bounds.x + bounds.width / 2 - WIDTH / 2 / scale,
    top: bounds.y + bounds.height / 2 - HEIGHT / 2 / scale,
  };
}

/**
 * Paints the graph at the start, and again after each change once the graph has been unchanged for
 * `REPAINT_DELAY`.
 */
function usePaint(
  canvas: RefObject<HTMLCanvasElement | null>,
  fit: RefObject<Fit>,
  place: () => void,
): void {
  const graph = useTab((tab) => tab.graph);
  const options = useDrawingOptions();
  const marks = useMarks();
  const theme = useSetting("calotype.theme");
  const delay = useRef(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme changes what `cssOf` returns
  useEffect(() => {
    const timer = setTimeout(() => {
      delay.current = REPAINT_DELAY;
      const context = canvas.current?.getContext("2d");
      if (canvas.current === null || context == null) return;
      canvas.current.dataset.missing = String(marks.missing.size);
      const drawn = drawingOf(graph, options);
      fit.current = fitOf(drawn);
      const density = window.devicePixelRatio;
      canvas.current.width = WIDTH * density;
      canvas.current.height = HEIGHT * density;
      const { scale, left, top } = fit.current;
      const size = scale * density;
      context.setTransform(size, 0, 0, size, -left * size, -top * size);
      paintGraph(context, drawn, marks, cssOf(canvas.current), scale, 0.5);
      place();
    }, delay.current);
    return () => clearTimeout(timer);
  }, [canvas, graph, options, marks, fit, place, theme]);
}

/** The part of a box that is on the map; a box beyond it shows as a strip at its edge. */
function onMap(view: Box, { scale, left, top }: Fit): Box {
  const range = (from: number, to: number, most: number): [number, number] => {
    const start = Math.min(Math.max(from, 1), most - MIN_SIZE);
    return [start, Math.max(Math.min(to, most - 1), start + MIN_SIZE)];
  };
  const [x, right] = range((view.x - left) * scale, (view.x + view.width - left) * scale, WIDTH);
  const [y, bottom] = range((view.y - top) * scale, (view.y + view.height - top) * scale, HEIGHT);
  return { x, y, width: right - x, height: bottom - y };
}

function putAt(element: HTMLElement, { x, y, width, height }: Box): void {
  element.style.transform = `translate(${x}px, ${y}px)`;
  element.style.width = `${width}px`;
  element.style.height = `${height}px`;
}
