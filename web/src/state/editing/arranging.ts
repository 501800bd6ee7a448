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
import { moveNodes, setCollapsed, setMode } from "../../document/edit";
import { isPinned, type Paint, setPaint, setPinned } from "../../document/flags";
import { MODE, type Point } from "../../document/graph";
import type { Guide } from "../../document/snap";
import { bodyAt } from "../nodes/shape";
import type { Editor } from "../session/editor";
import { edit, select } from "../session/studio";
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
export function cancelMarquee(editor: Editor): void {
  const { marquee } = useArranging.getState();
  if (marquee === null) return;
  useArranging.setState({ marquee: null });
  select(editor, marquee.before);
}

export function invertSelection(editor: Editor): void {
  const { graph, selected } = editor.tab;
  select(editor, inverted(graph, selected));
}

export function selectConnected(
  editor: Editor,
  direction: "upstream" | "downstream" | "both",
): void {
  const { graph, selected } = editor.tab;
  select(editor, connected(graph, selected, direction));
}

/** Moves boxes to new corners, in one entry. */
function moveCorners(editor: Editor, label: string, corners: Corners): void {
  const places = Object.entries(corners).map(([key, corner]) => [key, bodyAt(corner)] as const);
  if (places.length === 0) return;
  animateMove();
  edit(editor, label, (draft) => moveNodes(draft, Object.fromEntries(places)));
}

const ANIMATION_TIME = 240;
let animationTimer: ReturnType<typeof setTimeout> | undefined;

/** Animates the next move for a moment. */
export function animateMove(): void {
  clearTimeout(animationTimer);
  useArranging.setState({ animating: true });
  animationTimer = setTimeout(() => useArranging.setState({ animating: false }), ANIMATION_TIME);
}

export function alignSelected(editor: Editor, side: Side): void {
  const boxes = boxesOf(editor, editor.tab.selected);
  moveCorners(editor, "Align", align(boxes, side, pinnedOf(editor, boxes.keys())));
}

export function distributeSelected(editor: Editor, axis: Axis): void {
  const boxes = boxesOf(editor, editor.tab.selected);
  moveCorners(editor, "Distribute", distribute(boxes, axis, pinnedOf(editor, boxes.keys())));
}

/** Pins the selected nodes; unpins them where all are pinned. */
export function togglePinned(editor: Editor): void {
  const { graph, selected } = editor.tab;
  const all = selected.every((key) => {
    const node = graph.nodes[key];
    return node === undefined || isPinned(node);
  });
  edit(editor, all ? "Unpin" : "Pin", (draft) => setPinned(draft, selected, !all));
}

export function paintSelected(editor: Editor, paint: Paint | null, thread?: string): void {
  const { selected } = editor.tab;
  edit(editor, "Colour", (draft) => setPaint(draft, selected, paint), thread);
}

/** The smallest box around the selected nodes. */
export function selectedBox(editor: Editor, selected: readonly string[]): Box | null {
  return boundsOfBoxes(boxesOf(editor, selected).values());
}

/** Sets the mode of the selected nodes, or `always` where all of them already have it. */
export function toggleMode(editor: Editor, mode: number): void {
  const { graph, selected } = editor.tab;
  if (selected.length === 0) return;
  const all = selected.every((key) => graph.nodes[key]?.mode === mode);
  const label = mode === MODE.muted ? "Mute" : "Bypass";
  edit(editor, label, (draft) => setMode(draft, selected, all ? MODE.always : mode));
}

export function toggleCollapsed(editor: Editor): void {
  const { graph, selected } = editor.tab;
  if (selected.length === 0) return;
  const all = selected.every((key) => graph.nodes[key]?.collapsed === true);
  edit(editor, "Collapse", (draft) => setCollapsed(draft, selected, !all));
}

export function selectAll(editor: Editor): void {
  select(editor, editor.tab.graph.order);
}
