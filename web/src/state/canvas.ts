/** What the canvas does for those who may not import it; there while it is on the screen. */
import type { Point } from "../document/graph";

export interface CanvasHandle {
  /** Shows these nodes whole, or all where none is named. */
  fit(keys?: readonly string[]): void;
  zoomIn(): void;
  zoomOut(): void;
  zoomTo(zoom: number): void;
  /** A place on the screen, in the graph. */
  toGraph(screen: Point): Point;
  /** Where the pointer is on the screen; the middle of the canvas while it is elsewhere. */
  pointer(): Point;
  /** Gives the canvas the focus. */
  focus(): void;
  /** Moves the view so that a node is seen. */
  reveal(key: string): void;
  /** Moves the view so that a node is seen, and gives it, or the first of its fields, the focus. */
  focusNode(key: string, part?: "node" | "field"): void;
}

let handle: CanvasHandle | null = null;

export function canvas(): CanvasHandle | null {
  return handle;
}

/** Called by the canvas when it appears. Returns what takes it back. */
export function setCanvas(made: CanvasHandle): () => void {
  handle = made;
  return () => {
    if (handle === made) handle = null;
  };
}
