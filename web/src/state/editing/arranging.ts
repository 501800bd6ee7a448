/** Selecting and arranging by the user; each change of the document is one entry of the log. */

import { create } from "zustand";
import {
  type Axis,
  align,
  type Box,
  type Boxes,
  boundsOfBoxes,
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
import { bodyAt } from "../nodes/shape";
import { activeEditor, type Editor } from "../session/editor";
import { activeTab, edit, select } from "../session/studio";
import { boxesOf, pinnedOf } from "./boxes";

export type Tool = "select" | "lasso" | "hand";
/** How the nodes touched by an outline change the selection. */
export type SelectionMode = "replace" | "add" | "subtract";

export interface Marquee {
  kind: "box" | "lasso";
  mode: SelectionMode;
  /** In graph coordinates. */
  outline: readonly Point[];
  /** The selection when the outline was begun. */
  before: readonly string[];
}

interface Arranging {
  marquee: Marquee | null;
  /** The guides that the dragged box snaps to. */
  guides: readonly Guide[];
  /** Whether nodes or frames are being dragged. */
  dragging: boolean;
  /** Whether an animation of moved nodes is in progress. */
  animating: boolean;
  /** The frame that would contain the dragged node. */
  receiving: string | null;
  /** The key of the frame that commands act on. */
  frame: string | null;
  /** The note whose text is being edited. */
  writing: string | null;
}

export const useArranging = create<Arranging>(() => ({
  marquee: null,
  guides: [],
  dragging: false,
  receiving: null,
  animating: false,
  frame: null,
  writing: null,
}));

/** The outline of a box between two corners. */
export function boxOutline(from: Point, to: Point): Point[] {
  return [from, { x: to.x, y: from.y }, to, { x: from.x, y: to.y }];
}

/** The selection that results from an outline. */
export function selectionBy({ outline, mode, before }: Marquee, boxes: Boxes): string[] {
  const touched = nodesWithin(boxes, outline);
  if (mode === "replace") return touched;
  if (mode === "add") return [...new Set([...before, ...touched])];
  const removed = new Set(touched);
  return before.filter((key) => !removed.has(key));
}

/** Cancels an outline and restores the previous selection. */
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

export function selectConnected(direction: "upstream" | "downstream" | "both"): void {
  const { graph, selected } = activeTab();
  select(connected(graph, selected, direction));
}

/** Moves boxes to new corners, in one entry. */
function moveCorners(label: string, corners: Corners): void {
  const places = Object.entries(corners).map(([key, corner]) => [key, bodyAt(corner)] as const);
  if (places.length === 0) return;
  animateMove();
  edit(label, (draft) => moveNodes(draft, Object.fromEntries(places)));
}

const ANIMATION_TIME = 240;
let animationTimer: ReturnType<typeof setTimeout> | undefined;

/** Animates the next move for a moment. */
export function animateMove(): void {
  clearTimeout(animationTimer);
  useArranging.setState({ animating: true });
  animationTimer = setTimeout(() => useArranging.setState({ animating: false }), ANIMATION_TIME);
}

export function alignSelected(side: Side): void {
  const boxes = boxesOf(activeEditor(), activeTab().selected);
  moveCorners("Align", align(boxes, side, pinnedOf(activeEditor(), boxes.keys())));
}

export function distributeSelected(axis: Axis): void {
  const boxes = boxesOf(activeEditor(), activeTab().selected);
  moveCorners("Distribute", distribute(boxes, axis, pinnedOf(activeEditor(), boxes.keys())));
}

/** Pins the selected nodes; unpins them where all are pinned. */
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

/** The smallest box around the selected nodes. */
export function selectedBox(editor: Editor, selected: readonly string[]): Box | null {
  return boundsOfBoxes(boxesOf(editor, selected).values());
}
