/** Selecting and arranging, as the user asks for it; each change of the document is one entry of the log. */
import { create } from "zustand";
import {
  type Axis,
  align,
  around,
  type Box,
  type Boxes,
  type Corners,
  connected,
  distribute,
  inverted,
  nodesWithin,
  type Side,
} from "../../document/arrange";
import { moveNodes } from "../../document/edit";
import { isPinned, type Paint, setPaint, setPinned } from "../../document/flags";
import type { Point } from "../../document/graph";
import type { Guide } from "../../document/snap";
import { boxesOf, pinnedOf } from "../nodes/boxes";
import { bodyAt } from "../nodes/shape";
import { activeTab, edit, select } from "../studio";

export type Tool = "select" | "lasso" | "hand";
/** What is done with what an outline touches. */
export type SelectionMode = "replace" | "add" | "subtract";

export interface Marquee {
  kind: "box" | "lasso";
  way: SelectionMode;
  /** In the graph. */
  outline: readonly Point[];
  /** What was selected when it was begun. */
  before: readonly string[];
}

interface Arranging {
  marquee: Marquee | null;
  /** Lines that what is dragged has found. */
  guides: readonly Guide[];
  /** Whether nodes or frames follow the pointer now. */
  dragging: boolean;
  /** Whether what was moved at once slides to its new place. */
  settling: boolean;
  /** The frame that what is dragged would lie in. */
  receiving: string | null;
  /** The frame that commands act on, by its key. */
  frame: string | null;
  /** The note whose text is being written. */
  writing: string | null;
}

export const useArranging = create<Arranging>(() => ({
  marquee: null,
  guides: [],
  dragging: false,
  receiving: null,
  settling: false,
  frame: null,
  writing: null,
}));

/** The outline of a box that is drawn from one corner to another. */
export function boxOutline(from: Point, to: Point): Point[] {
  return [from, { x: to.x, y: from.y }, to, { x: from.x, y: to.y }];
}

/** What a selection becomes by an outline. */
export function selectionBy({ outline, way, before }: Marquee, boxes: Boxes): string[] {
  const touched = nodesWithin(boxes, outline);
  if (way === "replace") return touched;
  if (way === "add") return [...new Set([...before, ...touched])];
  const gone = new Set(touched);
  return before.filter((key) => !gone.has(key));
}

/** Ends the drawing of an outline as if it had not begun. */
export function cancelMarquee(): void {
  const { marquee } = useArranging.getState();
  if (marquee === null) return;
  useArranging.setState({ marquee: null });
  select(marquee.before);
}

export function invertSelection(): void {
  const { graph, selected } = activeTab();
  select(inverted(graph, selected));
}

export function selectConnected(way: "upstream" | "downstream" | "both"): void {
  const { graph, selected } = activeTab();
  select(connected(graph, selected, way));
}

/** Moves boxes to new corners, in one entry. */
function moveCorners(label: string, corners: Corners): void {
  const places = Object.entries(corners).map(([key, corner]) => [key, bodyAt(corner)] as const);
  if (places.length === 0) return;
  animateMove();
  edit(label, (draft) => moveNodes(draft, Object.fromEntries(places)));
}

const SETTLING = 240;
let settled: ReturnType<typeof setTimeout> | undefined;

/** What moves now slides for a moment instead of jumping. */
export function animateMove(): void {
  clearTimeout(settled);
  useArranging.setState({ settling: true });
  settled = setTimeout(() => useArranging.setState({ settling: false }), SETTLING);
}

export function alignSelected(side: Side): void {
  const boxes = boxesOf(activeTab().selected);
  moveCorners("Align", align(boxes, side, pinnedOf(boxes.keys())));
}

export function distributeSelected(axis: Axis): void {
  const boxes = boxesOf(activeTab().selected);
  moveCorners("Distribute", distribute(boxes, axis, pinnedOf(boxes.keys())));
}

/** Pins the selected nodes; all of them pinned, frees them. */
export function togglePinned(): void {
  const { graph, selected } = activeTab();
  const all = selected.every((key) => {
    const node = graph.nodes[key];
    return node === undefined || isPinned(node);
  });
  edit(all ? "Unpin" : "Pin", (draft) => setPinned(draft, selected, !all));
}

export function paintSelected(paint: Paint | null, thread?: string): void {
  const { selected } = activeTab();
  edit("Colour", (draft) => setPaint(draft, selected, paint), thread);
}

/** The box around what is selected. */
export function selectedBox(selected: readonly string[]): Box | null {
  return around(boxesOf(selected).values());
}
