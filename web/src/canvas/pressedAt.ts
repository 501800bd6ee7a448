/** What of a wire a press is on: a socket, the end of a wire, or a reroute point. */

import type { Point } from "../document/graph";
import { currentEnds, wireAt } from "../state/editing/connecting";
import { pulledFrom } from "../state/editing/drop";
import { linksAt, newPull, type Pull, pullEnd, pulledAt, pullFrom } from "../state/editing/pull";
import { isHidden } from "../state/editing/wiring";
import type { Pulled } from "../state/finding/fitting";
import { foldingOf } from "../state/nodes/folding";
import { ROW } from "../state/nodes/shape";
import type { Editor } from "../state/session/editor";
import { setting } from "../state/session/settings";
import { OVERVIEW_BELOW } from "./flow";
import { hitAt } from "./nodeAt";
import { type SocketPlace, socketsNear, socketsOf, socketsOfFold } from "./socketPlaces";

/**
 * The distance from a socket within which a press beside its node counts, in pixels of the screen.
 */
const PRESS_DISTANCE = 10;
const PRESS_DISTANCE_TOUCH = 18;
/**
 * The same at the lowest zoom, where a node is hardly larger than its sockets and must stay
 * draggable.
 */
const MIN_PRESS_DISTANCE = 2.5;
/** How near to a line a press is on it, and how far from its end the press picks that end up. */
const LINE_DISTANCE = 6;
const END_LENGTH = 30;

export interface Press {
  /** Begins the pull of a drag from here; returns null if there is nothing to pull any more. */
  drag: () => Pull | null;
  /** Begins the pull of a tap: a new wire. Null where something else handles taps, as on a wire. */
  tap: (() => Pull | null) | null;
}

type PressEvent = Pick<PointerEvent, "altKey" | "shiftKey" | "pointerType" | "target">;

/** The press at `at`, in graph coordinates. Null where the press is not about wires. */
export function pressedAt(
  editor: Editor,
  event: PressEvent,
  at: Point,
  zoom: number,
): Press | null {
  const { target, altKey, shiftKey } = event;
  if (!(target instanceof Element)) return null;
  const handle = target.closest<HTMLElement>(".react-flow__handle");
  if (handle !== null)
    return pressOnSockets(editor, socketsOfHandle(editor, handle), altKey, shiftKey);
  const point = target.closest<HTMLElement>("[data-point]")?.dataset.point;
  if (point !== undefined) return altKey ? pressOnPoint(editor, point) : null;
  if (target.closest(".react-flow__pane") === null) return null;
  if (target.closest(".react-flow__node, .react-flow__viewport-portal") !== null) return null;
  const sockets = socketsBeside(
    editor,
    at,
    pressDistance(zoom, event.pointerType === "touch") / zoom,
  );
  if (sockets.length > 0) return pressOnSockets(editor, sockets, altKey, shiftKey);
  return altKey || shiftKey || zoom < OVERVIEW_BELOW ? null : pressOnWireEnd(editor, at, zoom);
}

function pressDistance(zoom: number, isTouch: boolean): number {
  if (zoom < OVERVIEW_BELOW) return Math.max(ROW * zoom, MIN_PRESS_DISTANCE);
  return isTouch ? PRESS_DISTANCE_TOUCH : PRESS_DISTANCE;
}

function pressOnSockets(
  editor: Editor,
  places: readonly SocketPlace[],
  alt: boolean,
  shift: boolean,
): Press | null {
  if (places.length === 0) return null;
  const sockets = () =>
    places.flatMap((each) => pulledAt(editor, each.node, each.socket, each.side) ?? []);
  return {
    drag: () => pullFrom(editor, sockets(), alt, shift),
    tap: () => newPull(sockets()),
  };
}

function pressOnPoint(editor: Editor, point: string): Press {
  const branch = () => {
    const pulled = pulledFrom(editor, point);
    return pulled === null ? null : newPull([pulled]);
  };
  return { drag: branch, tap: null };
}

/** The sockets that an element stands for: those of a collapsed node are all at one place. */
function socketsOfHandle(editor: Editor, handle: HTMLElement): SocketPlace[] {
  const side: Pulled["side"] = handle.classList.contains("source") ? "output" : "input";
  const { handleid, nodeid } = handle.dataset;
  const frame = handle.closest<HTMLElement>("[data-frame]")?.dataset.frame;
  const fold = foldingOf(editor.graph).folds.find((each) => each.group.key === frame);
  if (fold !== undefined) {
    return socketsOfFold(editor, fold).filter(
      (each) => each.side === side && each.row === handleid,
    );
  }
  const all = socketsOf(editor, nodeid ?? "").filter((each) => each.side === side);
  const own = all.find((each) => each.socket === handleid);
  return all.filter((each) => each.at.x === own?.at.x && each.at.y === own.at.y);
}

/** The sockets near a place beside a node, or at a painted node's edge. */
function socketsBeside(editor: Editor, at: Point, near: number): SocketPlace[] {
  const { graph } = editor;
  const width = hitAt(editor, at)?.box.width ?? Number.POSITIVE_INFINITY;
  // A press in the middle of a painted node must drag it.
  return socketsNear(editor, at, Math.min(near, width / 4), ({ node, socket, side, isField }) => {
    // The socket of a field is invisible until it has a wire.
    return !isField || linksAt(graph, { node, socket, side }).length > 0;
  });
}

/** The end of a wire, pressed on its line beside the socket. */
function pressOnWireEnd(editor: Editor, at: Point, zoom: number): Press | null {
  const { tab } = editor;
  const quiet = setting("calotype.quietWires");
  const key = wireAt(editor, at, LINE_DISTANCE / zoom, (each) => !isHidden(tab, each, quiet));
  const link = tab.graph.links[key ?? ""];
  const ends = link && currentEnds(editor, link);
  if (link === undefined || ends == null) return null;
  const distanceTo = (end: Point) => Math.hypot(end.x - at.x, end.y - at.y);
  const [toSource, toTarget] = [distanceTo(ends.source), distanceTo(ends.target)];
  if (Math.min(toSource, toTarget) > END_LENGTH / zoom) return null;
  return {
    drag: () => pullEnd(editor, link.key, toSource < toTarget ? "output" : "input"),
    tap: null,
  };
}
