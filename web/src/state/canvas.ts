/** The interface of the canvas for modules that may not import it; present while it is mounted. */
import type { Point } from "../document/graph";

export interface CanvasHandle {
  /** Fits the view to these nodes, or to all where none is given. */
  fit(keys?: readonly string[]): void;
  zoomIn(): void;
  zoomOut(): void;
  zoomTo(zoom: number): void;
  /** Converts a screen position to graph coordinates. */
  toGraph(screen: Point): Point;
  /** The pointer's screen position; the centre of the canvas while the pointer is elsewhere. */
  pointer(): Point;
  /** Focuses the canvas. */
  focus(): void;
  /** Moves the view so that a node is visible. */
  reveal(key: string): void;
  /** Moves the view so that a node is visible, and focuses it or its first field. */
  focusNode(key: string, part?: "node" | "field"): void;
}

let handle: CanvasHandle | null = null;

export function canvas(): CanvasHandle | null {
  return handle;
}

/** Called by the canvas when it mounts. Returns a function that unregisters it. */
export function setCanvas(made: CanvasHandle): () => void {
  handle = made;
  return () => {
    if (handle === made) handle = null;
  };
}
