/**
 * Places of sockets and nodes, from the document: the same for nodes that are elements, painted
 * nodes, and the rows of folded frames. All in graph coordinates.
 */

import type { Point } from "../document/graph";
import type { Pulled } from "../state/finding/fitting";
import { type Fold, foldedEnds, foldingOf } from "../state/nodes/folding";
import { cornerOf, ROW, TITLE, WIDGET } from "../state/nodes/shape";
import type { Editor } from "../state/session/editor";
import { hitAt, shapeNow } from "./nodeAt";

export interface SocketPlace {
  node: string;
  socket: string;
  side: Pulled["side"];
  at: Point;
  /** It belongs to a field: visible only while the pointer is on it, or with a wire. */
  isField: boolean;
  /** The row of a folded frame that stands for it. */
  row?: string;
}

/** The sockets of a node, however it is drawn. */
export function socketsOf(editor: Editor, key: string): SocketPlace[] {
  const { graph } = editor;
  const node = graph.nodes[key];
  if (node === undefined || foldingOf(graph).hidden.has(key)) return [];
  const { width, inputs, outputs, widgets } = shapeNow(editor, node);
  const { x, y } = cornerOf(node);
  const place = (side: Pulled["side"], socket: string, offsetY: number, isField = false) => {
    const at = { x: side === "output" ? x + width : x, y: y + offsetY };
    return { node: key, socket, side, at, isField };
  };
  return [
    ...inputs.map((row) => place("input", row.id, row.y)),
    ...widgets
      .filter(({ input }) => input.options.socketless !== true)
      .map((row) => place("input", row.input.name, row.y + WIDGET / 2, true)),
    ...outputs.map((row) => place("output", row.id, row.y)),
  ];
}

/** The sockets that the rows of a folded frame stand for. */
export function socketsOfFold({ graph }: Pick<Editor, "graph">, { group }: Fold): SocketPlace[] {
  const found = new Map<string, SocketPlace>();
  for (const key of graph.linkOrder) {
    const link = graph.links[key];
    if (link === undefined) continue;
    const { source, target } = foldedEnds(graph, link);
    if (source?.fold.group.key === group.key) {
      const socket = String(link.fromSlot);
      const { at, row } = source;
      found.set(`output ${row}`, {
        node: link.from,
        socket,
        side: "output",
        at,
        isField: false,
        row,
      });
    }
    if (target?.fold.group.key === group.key) {
      const socket = graph.nodes[link.to]?.inputs[link.toSlot]?.name ?? "";
      const { at, row } = target;
      found.set(`input ${row}`, { node: link.to, socket, side: "input", at, isField: false, row });
    }
  }
  return [...found.values()];
}

/** The place where a socket is drawn; null if it is not drawn. */
export function placeOf(editor: Editor, { node, socket, side, through }: Pulled): Point | null {
  const { graph } = editor;
  if (through !== undefined) return graph.reroutes[through]?.position ?? null;
  const isSame = (each: SocketPlace) =>
    each.node === node && each.socket === socket && each.side === side;
  const own = socketsOf(editor, node).find(isSame);
  if (own !== undefined) return own.at;
  const folded = foldingOf(graph)
    .folds.flatMap((each) => socketsOfFold(editor, each))
    .find(isSame);
  return folded?.at ?? null;
}

/** The sockets of all nodes and folded frames that may be near a place. */
function socketsAround(editor: Editor, { x, y }: Point, reach: number): SocketPlace[] {
  const { graph } = editor;
  const { folds, hidden } = foldingOf(graph);
  const near = ({ at }: SocketPlace) => Math.hypot(at.x - x, at.y - y) <= reach;
  const found = folds.flatMap((each) => socketsOfFold(editor, each)).filter(near);
  for (const key of graph.order) {
    const node = graph.nodes[key];
    if (node === undefined || hidden.has(key)) continue;
    const top = node.position.y - TITLE;
    if (x < node.position.x - reach || y < top - reach) continue;
    const { width, height } = shapeNow(editor, node);
    if (x > node.position.x + width + reach || y > top + height + reach) continue;
    found.push(...socketsOf(editor, key).filter(near));
  }
  return found;
}

/**
 * The socket nearest to a place, with any at the very same place; none where no socket is within
 * reach, or where another node covers it. `fits` filters the sockets.
 */
export function socketsNear(
  editor: Editor,
  at: Point,
  reach: number,
  fits: (socket: SocketPlace) => boolean,
): SocketPlace[] {
  const distanceTo = (each: SocketPlace) => Math.hypot(each.at.x - at.x, each.at.y - at.y);
  const open = socketsAround(editor, at, reach).filter(
    (each) => fits(each) && !isCovered(editor, each),
  );
  const [nearest] = open.sort((one, other) => distanceTo(one) - distanceTo(other));
  if (nearest === undefined) return [];
  return open.filter(
    (each) =>
      each.node === nearest.node &&
      each.side === nearest.side &&
      each.at.x === nearest.at.x &&
      each.at.y === nearest.at.y,
  );
}

const INSIDE_OFFSET = 2;

function isCovered(editor: Editor, { node, side, at }: SocketPlace): boolean {
  const { hidden } = foldingOf(editor.graph);
  if (hidden.has(node)) return false;
  const top = hitAt(editor, {
    x: at.x + (side === "input" ? INSIDE_OFFSET : -INSIDE_OFFSET),
    y: at.y,
  });
  return top !== null && (top.fold !== null || top.key !== node);
}

/** The input, field or output in whose row of a node a place is; null between rows. */
export function rowAt(
  editor: Editor,
  key: string,
  at: Point,
  side: Pulled["side"],
): SocketPlace | null {
  const node = editor.graph.nodes[key];
  if (node === undefined) return null;
  const y = at.y - cornerOf(node).y;
  const { inputs, outputs, widgets } = shapeNow(editor, node);
  const rows = side === "input" ? inputs : outputs;
  const row = rows.find((each) => Math.abs(each.y - y) <= ROW / 2);
  const field =
    side === "input" && row === undefined && !node.collapsed
      ? widgets.find((each) => y >= each.y && y < each.y + each.height)
      : undefined;
  const socket = row?.id ?? field?.input.name;
  return (
    socketsOf(editor, key).find((each) => each.side === side && each.socket === socket) ?? null
  );
}
