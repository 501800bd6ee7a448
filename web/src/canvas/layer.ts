/**
 * A canvas element behind the graph that follows the view. Panning only moves it: it is larger than
 * the screen, and painted again when the view leaves it, when the zoom has stopped, or when the
 * painter changed. Requests an animation frame only when there is something to do.
 */
import { useStoreApi } from "@xyflow/react";
import { type RefObject, useEffect, useRef } from "react";
import type { Box } from "../document/arrange";

/** Paints, in graph coordinates, at least what is in `area`. */
export interface Painter {
  paint: (context: CanvasRenderingContext2D, area: Box, zoom: number) => void;
  /**
   * About how many things it paints. A few are painted at each step of a zoom, many when it has
   * stopped.
   */
  count: number;
}

interface View {
  x: number;
  y: number;
  zoom: number;
  width: number;
  height: number;
}

/** The margin that is painted beyond each side of the screen, as a share of it. */
const MARGIN = 0.25;
const MANY_ITEMS = 400;
const REPAINT_DELAY = 90;
/** The largest factor by which a painted layer may be scaled until the zoom has stopped. */
const MAX_SCALE = 1.35;

class Layer {
  #canvas: HTMLCanvasElement;
  #view: () => View;
  #painter: Painter | null = null;
  #painted: View | null = null;
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(canvas: HTMLCanvasElement, view: () => View) {
    this.#canvas = canvas;
    this.#view = view;
  }

  setPainter(painter: Painter): void {
    this.#painter = painter;
    this.#requestPaint();
  }

  followView(): void {
    const now = this.#view();
    const painted = this.#painted;
    if (painted === null || painted.width !== now.width || painted.height !== now.height) {
      this.#requestPaint();
      return;
    }
    this.#place(painted, now);
    if (!covers(painted, now)) this.#requestPaint();
    else if (painted.zoom !== now.zoom) this.#repaintForZoom(now.zoom / painted.zoom);
  }

  #repaintForZoom(by: number): void {
    clearTimeout(this.#timer);
    const isFew = (this.#painter?.count ?? 0) <= MANY_ITEMS;
    if (isFew || by > MAX_SCALE || by < 1 / MAX_SCALE) this.#requestPaint();
    else this.#timer = setTimeout(() => this.#requestPaint(), REPAINT_DELAY);
  }

  #requestPaint(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#paint());
  }

  #paint(): void {
    this.#frame = 0;
    clearTimeout(this.#timer);
    const context = this.#canvas.getContext("2d");
    const view = this.#view();
    if (context === null || this.#painter === null || view.width === 0) return;
    const density = window.devicePixelRatio;
    const { left, top, width, height } = extentOf(view);
    const [across, down] = [Math.round(width * density), Math.round(height * density)];
    if (this.#canvas.width !== across || this.#canvas.height !== down) {
      this.#canvas.width = across;
      this.#canvas.height = down;
      this.#canvas.style.width = `${width}px`;
      this.#canvas.style.height = `${height}px`;
    } else {
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, across, down);
    }
    const { x, y, zoom } = view;
    const scale = zoom * density;
    context.setTransform(scale, 0, 0, scale, (x - left) * density, (y - top) * density);
    this.#painter.paint(
      context,
      { x: (left - x) / zoom, y: (top - y) / zoom, width: width / zoom, height: height / zoom },
      zoom,
    );
    this.#painted = view;
    this.#place(view, view);
  }

  /** Moves and scales the layer, painted for one view, to its place in another. */
  #place(painted: View, now: View): void {
    const { left, top } = extentOf(painted);
    const by = now.zoom / painted.zoom;
    const x = now.x + (left - painted.x) * by;
    const y = now.y + (top - painted.y) * by;
    this.#canvas.style.transform = `translate(${x}px, ${y}px) scale(${by})`;
  }

  end(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
  }
}

function extentOf({ width, height }: View) {
  const [beside, above] = [Math.round(width * MARGIN), Math.round(height * MARGIN)];
  return { left: -beside, top: -above, width: width + 2 * beside, height: height + 2 * above };
}

/** Whether what was painted for one view covers the whole screen in another. */
function covers(painted: View, now: View): boolean {
  const { left, top, width, height } = extentOf(painted);
  const by = now.zoom / painted.zoom;
  const [x, y] = [now.x + (left - painted.x) * by, now.y + (top - painted.y) * by];
  return x <= 0 && y <= 0 && x + width * by >= now.width && y + height * by >= now.height;
}

/** Keeps what the painter paints on the canvas element, whatever the view. */
export function useLayer(canvas: RefObject<HTMLCanvasElement | null>, painter: Painter): void {
  const store = useStoreApi();
  const layer = useRef<Layer | null>(null);
  useEffect(() => {
    if (canvas.current === null) return;
    const made = new Layer(canvas.current, () => {
      const { transform, width, height } = store.getState();
      return { x: transform[0], y: transform[1], zoom: transform[2], width, height };
    });
    layer.current = made;
    const stop = store.subscribe((now, before) => {
      const same = now.transform === before.transform && now.width === before.width;
      if (!same || now.height !== before.height) made.followView();
    });
    return () => {
      stop();
      made.end();
    };
  }, [canvas, store]);
  useEffect(() => layer.current?.setPainter(painter), [painter]);
}
