/** Dragging nodes: they move as one, and click into the grid and the lines of their neighbours. */
import { around, type Box, overlaps } from "../../document/arrange";
import { moveNodes } from "../../document/edit";
import { frameAround } from "../../document/frames";
import type { Point } from "../../document/graph";
import { snapped } from "../../document/snap";
import { boxesOf, pinnedOf } from "../nodes/boxes";
import { bodyAt, GRID } from "../nodes/shape";
import { setting } from "../settings";
import { activeTab, changeTab, edit, endThreadIn, type Tab, undoEdit } from "../studio";
import { useArranging } from "./arranging";

interface Drag {
  tab: string;
  from: ReadonlyMap<string, Box>;
  bounds: Box;
  neighbours: readonly Box[];
}

/** What drags name their edits by: nodes, frames, and their corners. */
const THREAD = /^(move|group|size) /;
/** How near a neighbour's line has to be on the screen, in pixels. */
const REACH = 5;

let drag: Drag | null = null;
/** The drag is over although the button is still held: what the pointer does on is nothing. */
let isOver = false;

/** What was done and undone before the drag. */
let before: Pick<Tab, "id" | "log"> | null = null;

/** Before the first step of a drag. */
export function beginDrag(): void {
  isOver = false;
  const { id, log } = activeTab();
  before = { id, log };
}

/** Keeps whether Ctrl is held, which frees what is dragged. */
let free = false;
export function setFreePlacement(freely: boolean): void {
  free = freely;
}

/** What of the graph is on the screen, about. */
function seen(): { view: Box; zoom: number } {
  const { x, y, zoom } = activeTab().viewport ?? { x: 0, y: 0, zoom: 1 };
  const { innerWidth = 0, innerHeight = 0 } = globalThis;
  const view = { x: -x / zoom, y: -y / zoom, width: innerWidth / zoom, height: innerHeight / zoom };
  return { view, zoom };
}

function begin(keys: readonly string[]): Drag | null {
  const { view } = seen();
  const pinned = pinnedOf(keys);
  const from = new Map(
    boxesOf(
      keys.filter((key) => !pinned.has(key)),
      true,
    ),
  );
  const bounds = around(from.values());
  if (bounds === null) return null;
  const neighbours = [...boxesOf()]
    .filter(([key, box]) => !from.has(key) && overlaps(box, view))
    .map(([, box]) => box);
  useArranging.setState({ dragging: true });
  return { tab: activeTab().id, from, bounds, neighbours };
}

/**
 * Takes dragged nodes to where the pointer asks for, as told by the wished corner of each.
 * The first call begins the drag; `endDrag` ends it.
 */
export function dragTo(corners: Readonly<Record<string, Point>>): void {
  if (isOver) return;
  const keys = Object.keys(corners).filter((key) => key in activeTab().graph.nodes);
  if (drag === null || drag.tab !== activeTab().id || !keys.every((key) => drag?.from.has(key))) {
    drag = begin(keys);
  }
  const lead = keys.find((key) => drag?.from.has(key));
  const [start, wished] = [drag?.from.get(lead ?? ""), corners[lead ?? ""]];
  if (drag === null || start === undefined || wished === undefined) return;
  const by = snap({ x: wished.x - start.x, y: wished.y - start.y }, drag);
  const places = [...drag.from].map(([key, { x, y }]) => [
    key,
    bodyAt({ x: x + by.x, y: y + by.y }),
  ]);
  edit("Move", (draft) => moveNodes(draft, Object.fromEntries(places)), `move ${keys.join()}`);
  showReceiving(lead ?? "");
}

/** Lights the frame that a dragged node has come into. */
function showReceiving(key: string): void {
  const { graph } = activeTab();
  if (graph.groups.length === 0) return;
  const receiving = frameAround(graph, key)?.key ?? null;
  if (useArranging.getState().receiving !== receiving) useArranging.setState({ receiving });
}

function snap(by: Point, { bounds, neighbours }: Drag): Point {
  const to = free ? "nothing" : setting("calotype.snap");
  const lines = to === "both" || to === "neighbours";
  const found = snapped(
    { ...bounds, x: bounds.x + by.x, y: bounds.y + by.y },
    {
      neighbours: lines ? neighbours : [],
      reach: lines ? REACH / seen().zoom : 0,
      grid: to === "both" || to === "grid" ? GRID : null,
    },
  );
  const isNone = found.guides.length === 0 && useArranging.getState().guides.length === 0;
  if (!isNone) useArranging.setState({ guides: found.guides });
  return { x: Math.round(by.x + found.by.x), y: Math.round(by.y + found.by.y) };
}

export function endDrag(): void {
  const tab = drag?.tab ?? activeTab().id;
  drag = null;
  useArranging.setState({ dragging: false, receiving: null, guides: [] });
  endThreadIn(tab);
}

/** What is dragged in a tab stays where it is, though the button is still held: its canvas is left. */
export function leaveDrag(tab: string): void {
  isOver = true;
  endDrag();
  endThreadIn(tab);
}

/** Whether nodes or a frame follow the pointer. */
export function isDragged(): boolean {
  return !isOver && useArranging.getState().dragging;
}

export function isDragOver(): boolean {
  return isOver;
}

/** What is dragged goes back to where it was taken, as if it had not been. */
export function cancelDrag(): void {
  if (!isDragged()) return;
  const { id, log } = activeTab();
  const thread = log.done.at(-1)?.thread ?? "";
  leaveDrag(id);
  if (!THREAD.test(thread)) return;
  undoEdit();
  // Nor is it there to be redone, in the place of what was undone before.
  const { done } = activeTab().log;
  if (before?.id !== id || before.log.done.length !== done.length) return;
  const { undone } = before.log;
  changeTab(id, () => ({ log: { done, undone } }));
}

/** A step of a frame that is dragged or sized, on the grid unless Ctrl is held. */
export function gridStep({ x, y }: Point): Point {
  const to = free ? "nothing" : setting("calotype.snap");
  if (to !== "both" && to !== "grid") return { x: Math.round(x), y: Math.round(y) };
  return { x: Math.round(x / GRID) * GRID, y: Math.round(y / GRID) * GRID };
}
