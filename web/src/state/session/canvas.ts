/** The interface of a canvas for modules that may not import it; present while it is mounted. */
import type { Point } from "../../document/graph";
import { viewOf } from "./sides";
import { activeTab } from "./studio";

export interface CanvasHandle {
  /** Fits the view to these nodes, or to all where none is given. */
  fit(keys?: readonly string[]): void;
  /** Whether the stored view of a document shows it whole on a canvas of this size. */
  fits(id: string): boolean;
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

const handles = new Map<string, CanvasHandle>();

/** The canvas of a view; that of the one with the focus where none is named. */
export function canvas(id: string = viewOf(activeTab())): CanvasHandle | null {
  return handles.get(id) ?? null;
}

/** Called by the canvas of a document when it mounts. Returns a function that unregisters it. */
export function setCanvas(id: string, made: CanvasHandle): () => void {
  handles.set(id, made);
  return () => {
    if (handles.get(id) === made) handles.delete(id);
  };
}
