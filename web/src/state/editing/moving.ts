/** Dragging nodes: they move together, and snap to the grid and to lines of their neighbours. */

import { type Box, boundsOfBoxes, overlaps } from "../../document/arrange";
import { moveNodes } from "../../document/edit";
import { frameAround } from "../../document/frames";
import type { Point } from "../../document/graph";
import { snapped } from "../../document/snap";
import { bodyAt, GRID } from "../nodes/shape";
import type { Editor } from "../session/editor";
import { setting } from "../session/settings";
import { changeTab, edit, endThread, type Tab, undoEdit } from "../session/studio";
import { useArranging } from "./arranging";
import { boxesOf, pinnedOf } from "./boxes";

interface Drag {
  tab: string;
  from: ReadonlyMap<string, Box>;
  bounds: Box;
  neighbours: readonly Box[];
}

/** The threads of edits made by dragging: nodes, frames, their corners, and reroute points. */
const DRAG_THREAD = /^(move|group|size|point) /;
/** The snapping distance to a neighbour's line, in pixels on the screen. */
const SNAP_DISTANCE = 5;

let drag: Drag | null = null;
/** Whether the drag has ended while the button is still held: further movement is ignored. */
let isEnded = false;

/** The document's log before the drag. */
let before: Pick<Tab, "id" | "log"> | null = null;

/** Call it before the first step of a drag. */
export function beginDrag(editor: Editor): void {
  isEnded = false;
  const { id, log } = editor.tab;
  before = { id, log };
}

/** Sets whether Ctrl is held, which disables snapping. */
let isFree = false;
export function setFreePlacement(value: boolean): void {
  isFree = value;
}

/** The approximate part of the graph that is visible. */
function visiblePart(editor: Editor): { view: Box; zoom: number } {
  const { x, y, zoom } = editor.tab.viewport ?? { x: 0, y: 0, zoom: 1 };
  const { innerWidth = 0, innerHeight = 0 } = globalThis;
  const view = { x: -x / zoom, y: -y / zoom, width: innerWidth / zoom, height: innerHeight / zoom };
  return { view, zoom };
}

function begin(editor: Editor, keys: readonly string[]): Drag | null {
  const { view } = visiblePart(editor);
  const pinned = pinnedOf(editor, keys);
  const from = new Map(
    boxesOf(
      editor,
      keys.filter((key) => !pinned.has(key)),
      true,
    ),
  );
  const bounds = boundsOfBoxes(from.values());
  if (bounds === null) return null;
  const neighbours = [...boxesOf(editor)]
    .filter(([key, box]) => !from.has(key) && overlaps(box, view))
    .map(([, box]) => box);
  useArranging.setState({ dragging: true });
  return { tab: editor.tab.id, from, bounds, neighbours };
}

/**
 * Moves dragged nodes, given the corner that the pointer implies for each. The first call begins
 * the drag; `endDrag` ends it.
 */
export function dragTo(editor: Editor, corners: Readonly<Record<string, Point>>): void {
  if (isEnded) return;
  const keys = Object.keys(corners).filter((key) => key in editor.tab.graph.nodes);
  if (drag === null || drag.tab !== editor.tab.id || !keys.every((key) => drag?.from.has(key))) {
    drag = begin(editor, keys);
  }
  const leader = keys.find((key) => drag?.from.has(key));
  const [start, requested] = [drag?.from.get(leader ?? ""), corners[leader ?? ""]];
  if (drag === null || start === undefined || requested === undefined) return;
  const by = snap(editor, { x: requested.x - start.x, y: requested.y - start.y }, drag);
  const places = [...drag.from].map(([key, { x, y }]) => [
    key,
    bodyAt({ x: x + by.x, y: y + by.y }),
  ]);
  edit(
    editor,
    "Move",
    (draft) => moveNodes(draft, Object.fromEntries(places)),
    `move ${keys.join()}`,
  );
  showReceiving(editor, leader ?? "");
}

/** Highlights the frame that a dragged node has entered. */
function showReceiving(editor: Editor, key: string): void {
  const { graph } = editor.tab;
  if (graph.groups.length === 0) return;
  const receiving = frameAround(graph, key)?.key ?? null;
  if (useArranging.getState().receiving !== receiving) useArranging.setState({ receiving });
}

function snap(editor: Editor, by: Point, { bounds, neighbours }: Drag): Point {
  const to = isFree ? "nothing" : setting("calotype.snap");
  const lines = to === "both" || to === "neighbours";
  const found = snapped(
    { ...bounds, x: bounds.x + by.x, y: bounds.y + by.y },
    {
      neighbours: lines ? neighbours : [],
      reach: lines ? SNAP_DISTANCE / visiblePart(editor).zoom : 0,
      grid: to === "both" || to === "grid" ? GRID : null,
    },
  );
  const isNone = found.guides.length === 0 && useArranging.getState().guides.length === 0;
  if (!isNone) useArranging.setState({ guides: found.guides });
  return { x: Math.round(by.x + found.by.x), y: Math.round(by.y + found.by.y) };
}

export function endDrag(editor: Editor): void {
  const id = drag?.tab ?? editor.id;
  drag = null;
  useArranging.setState({ dragging: false, receiving: null, guides: [] });
  endThread({ id });
}

/** Ends a drag in a tab whose canvas is left, though the button is still held; the nodes stay. */
export function leaveDrag(editor: Editor): void {
  isEnded = true;
  endDrag(editor);
  endThread(editor);
}

/** Whether nodes or a frame are being dragged. */
export function isDragged(): boolean {
  return !isEnded && useArranging.getState().dragging;
}

export function isDragOver(): boolean {
  return isEnded;
}

/** Cancels the drag: everything returns to its position before it. */
export function cancelDrag(editor: Editor): void {
  if (!isDragged()) return;
  const { id, log } = editor.tab;
  const thread = log.done.at(-1)?.thread ?? "";
  leaveDrag(editor);
  if (!DRAG_THREAD.test(thread)) return;
  undoEdit(editor);
  // The cancelled drag must not be offered for redo; what was undone before must.
  const { done } = editor.tab.log;
  if (before?.id !== id || before.log.done.length !== done.length) return;
  const { undone } = before.log;
  changeTab(id, () => ({ log: { done, undone } }));
}

/** A step of a dragged or resized frame, on the grid unless Ctrl is held. */
export function gridStep({ x, y }: Point): Point {
  const to = isFree ? "nothing" : setting("calotype.snap");
  if (to !== "both" && to !== "grid") return { x: Math.round(x), y: Math.round(y) };
  return { x: Math.round(x / GRID) * GRID, y: Math.round(y / GRID) * GRID };
}
