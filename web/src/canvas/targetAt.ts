/**
 * The target of a pulled wire at a place, and what a drop there would do: the only such decision.
 */

import type { Point } from "../document/graph";
import { wireAt } from "../state/editing/connecting";
import { linksAt, type Pull, type Target, type Verdict } from "../state/editing/pull";
import { verdictAt, verdictOn, verdictOnWire } from "../state/editing/verdicts";
import type { Fold } from "../state/nodes/folding";
import type { Editor } from "../state/session/editor";
import { t } from "../words/words";
import { OVERVIEW_BELOW } from "./flow";
import { type Hit, hitAt } from "./nodeAt";
import { placeOf, rowAt, type SocketPlace, socketsNear, socketsOfFold } from "./socketPlaces";

/** The distance within which a socket attracts the wire, in pixels of the screen. */
const SNAP_DISTANCE = 18;
/** A drop nearer than this to the start of the pull does nothing. */
const START_DISTANCE = 12;
/** The distance within which the pointer is on another wire. */
const WIRE_DISTANCE = 8;
const NOTHING: Target = { kind: "nothing" };
const OUTSIDE: Target = { kind: "outside" };

export function targetAt(editor: Editor, pull: Pull, at: Point, zoom: number): Target {
  const hit = hitAt(editor, at);
  const isElsewhere = hit !== null && pull.from.every((each) => each.node !== hit.key);
  if (!isElsewhere && isAtStart(editor, pull, at, START_DISTANCE / zoom)) return OUTSIDE;
  const socket = socketAt(editor, pull, at, zoom, hit);
  if (socket !== null) return socket;
  if (hit?.fold != null) return onFold(editor, pull, at, hit.fold);
  const node = hit?.key ?? besideNode(editor, pull, at, zoom);
  if (node !== null) return onNode(editor, pull, node, at);
  return onWire(editor, pull, at, zoom);
}

function isAtStart(editor: Editor, { from, detached }: Pull, at: Point, reach: number): boolean {
  const [source] = from;
  const start = detached === null && source !== undefined ? placeOf(editor, source) : null;
  return start !== null && Math.hypot(start.x - at.x, start.y - at.y) <= reach;
}

/**
 * The socket within reach. A field's socket counts only if it accepts the wire: otherwise its node
 * does.
 */
function socketAt(
  editor: Editor,
  pull: Pull,
  at: Point,
  zoom: number,
  hit: Hit | null,
): Target | null {
  // Most of a small node must count as its body.
  const reach = Math.min(SNAP_DISTANCE / zoom, (hit?.box.width ?? Number.POSITIVE_INFINITY) / 4);
  const isCandidate = (each: SocketPlace) =>
    each.side === pull.seeks &&
    (!each.isField || verdictAt(editor, pull, each.node, each.socket).refusal === null);
  const [nearest, ...others] = socketsNear(editor, at, reach, isCandidate);
  if (nearest === undefined) return null;
  const { node, socket, isField } = nearest;
  // Several sockets at one place count as their node.
  if (others.length > 0)
    return { kind: "body", node, verdict: verdictOn(editor, pull, node, null) };
  const verdict = verdictAt(editor, pull, node, socket);
  // Zoomed out, the sockets of a node are too small to tell apart.
  if (verdict.refusal !== null && zoom < OVERVIEW_BELOW) return onNode(editor, pull, node, at);
  return { kind: isField ? "field" : "socket", node, verdict };
}

function onNode(editor: Editor, pull: Pull, node: string, at: Point): Target {
  const row = rowAt(editor, node, at, pull.seeks);
  const verdict = verdictOn(editor, pull, node, row?.socket ?? null);
  const isField = row?.isField === true && verdict.socket === row.socket;
  return { kind: isField ? "field" : "body", node, verdict };
}

/** The outer half of a socket belongs to its node. */
function besideNode(editor: Editor, { seeks }: Pull, at: Point, zoom: number): string | null {
  const [nearest] = socketsNear(editor, at, START_DISTANCE / zoom, (each) => each.side !== seeks);
  return nearest?.node ?? null;
}

/** A folded frame has rows only for existing wires. */
function onFold(editor: Editor, pull: Pull, at: Point, fold: Fold): Target {
  const rows = socketsOfFold(editor, fold).filter((each) => each.side === pull.seeks);
  const [row] = rows.sort((one, other) => Math.abs(one.at.y - at.y) - Math.abs(other.at.y - at.y));
  const verdictOfRow = row === undefined ? null : verdictAt(editor, pull, row.node, row.socket);
  if (row !== undefined && verdictOfRow !== null && verdictOfRow.refusal === null) {
    return { kind: "body", node: row.node, verdict: verdictOfRow };
  }
  const refusal = t("Unfold the group to connect the nodes in it.");
  const verdict: Verdict = { ends: [], socket: null, refusal, converters: [] };
  return { kind: "body", node: row?.node ?? "", verdict };
}

/** Another wire that the pulled one could share an end with. */
function onWire(editor: Editor, pull: Pull, at: Point, zoom: number): Target {
  const { graph } = editor;
  const own = new Set([
    ...pull.from.flatMap((each) => linksAt(graph, each)),
    ...(pull.detached?.links ?? []),
  ]);
  const fits = (key: string) => !own.has(key) && verdictOnWire(editor, pull, key) !== null;
  const link = wireAt(editor, at, WIRE_DISTANCE / zoom, fits);
  const verdict = link === null ? null : verdictOnWire(editor, pull, link);
  return link === null || verdict === null ? NOTHING : { kind: "wire", link, verdict };
}
