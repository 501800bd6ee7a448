/**
 * A wire being pulled: the sockets that hold it, the sockets it may connect to, and the target
 * under the pointer. The canvas begins and moves it (`canvas/Pulling.tsx`); views of sockets and
 * wires read it here. The document does not change until the wire is dropped.
 */

import { create } from "zustand";
import type { NodeSchema } from "../../api/types";
import type { Graph, Link, Point } from "../../document/graph";
import type { Pulled } from "../finding/fitting";
import { inputType, outputType } from "../nodes/shape";
import { feeds, fits } from "../nodes/sockets";
import type { Editor } from "../session/editor";
import { schemaOf } from "../session/studio";
import type { Wire } from "./actions";

/** Detached wires, and the socket they are connected to until they are dropped. */
interface Detached {
  links: readonly string[];
  node: string;
  socket: string;
}

export interface Pull {
  /**
   * The sockets that hold the wire. Several where the wires of an output are moved together, or
   * where the sockets of a collapsed node overlap; then the one that fits best is used.
   */
  from: readonly Pulled[];
  /** The side of the sockets that the loose end may connect to. */
  seeks: Pulled["side"];
  /** Null for a new wire. */
  detached: Detached | null;
}

/** A node that converts from the wire's type to the socket's. */
export interface Converter {
  schema: NodeSchema;
  wire: Wire;
}

/** The result that a drop would have. */
export interface Verdict {
  /** The wires that would be made; none where they are refused, or where nothing changes. */
  ends: readonly Wire[];
  /** The socket that would be connected. */
  socket: string | null;
  /** Why nothing can be connected, as a sentence. */
  refusal: string | null;
  converters: readonly Converter[];
}

export type Target =
  | { kind: "socket" | "field" | "body"; node: string; verdict: Verdict }
  | { kind: "wire"; link: string; verdict: Verdict }
  /** Over the empty canvas. */
  | { kind: "nothing" }
  /** Outside of the canvas. */
  | { kind: "outside" };

interface Pulling {
  pull: Pull | null;
  /** Whether a tap began it: then no button is held, and the next tap ends it. */
  byTaps: boolean;
  /** The position of the loose end, in graph coordinates. */
  at: Point;
  target: Target;
}

const NO_TARGET: Target = { kind: "nothing" };

export const usePulling = create<Pulling>(() => ({
  pull: null,
  byTaps: false,
  at: { x: 0, y: 0 },
  target: NO_TARGET,
}));

export function beginPull(pull: Pull, at: Point, byTaps: boolean): void {
  usePulling.setState({ pull, byTaps, at, target: NO_TARGET });
}

/** Ends the pull. As it has not changed the document, this alone also cancels it. */
export function endPull(): void {
  if (usePulling.getState().pull !== null) usePulling.setState({ pull: null, target: NO_TARGET });
}

/** The output that a link starts at. */
export function sourceOf(graph: Graph, link: Link): Pulled {
  const node = graph.nodes[link.from];
  const type =
    node === undefined ? link.type : outputType(node, schemaOf(node.type), link.fromSlot);
  return { node: link.from, socket: String(link.fromSlot), side: "output", type };
}

/** The input that a link ends at. */
export function targetOf(graph: Graph, link: Link): Pulled {
  const node = graph.nodes[link.to];
  const socket = node?.inputs[link.toSlot]?.name ?? "";
  const type = node === undefined ? link.type : inputType(node, schemaOf(node.type), socket);
  return { node: link.to, socket, side: "input", type };
}

/** A socket as the start of a pulled wire; null where the node does not exist. */
export function pulledAt(
  editor: Editor,
  node: string,
  socket: string,
  side: Pulled["side"],
): Pulled | null {
  const found = editor.tab.graph.nodes[node];
  if (found === undefined) return null;
  const schema = schemaOf(found.type);
  const type =
    side === "output"
      ? outputType(found, schema, Number(socket))
      : inputType(found, schema, socket);
  return { node, socket, side, type };
}

/** The links at a socket, in drawing order. */
export function linksAt(graph: Graph, { node, socket, side }: SocketId): string[] {
  const found = graph.nodes[node];
  const keys =
    side === "output"
      ? (found?.outputs[Number(socket)]?.links ?? [])
      : (found?.inputs ?? []).flatMap(({ name, link }) =>
          name === socket && link !== null ? [link] : [],
        );
  return keys.filter((key) => key in graph.links);
}

/**
 * Begins pulling from sockets at one place. A connected input detaches its wire, or with Alt begins
 * a new one; an output begins a new one, or with Shift detaches all its wires.
 */
export function pullFrom(
  editor: Editor,
  sockets: readonly Pulled[],
  alt: boolean,
  shift: boolean,
): Pull | null {
  const [first] = sockets;
  if (first === undefined) return null;
  const { graph } = editor.tab;
  if (first.side === "input") {
    const joined = alt ? [] : sockets.flatMap((each) => linksAt(graph, each));
    const [last] = joined.sort(
      (one, other) => graph.linkOrder.indexOf(other) - graph.linkOrder.indexOf(one),
    );
    return last === undefined ? newPull(sockets) : pullEnd(editor, last, "input");
  }
  const moved = shift ? sockets.find((each) => linksAt(graph, each).length > 0) : undefined;
  return moved === undefined ? newPull(sockets) : pullAll(editor, moved);
}

/** A new wire. */
export function newPull(from: readonly Pulled[]): Pull {
  return { from, seeks: from[0]?.side === "input" ? "output" : "input", detached: null };
}

/** Detaches one end of one wire: the target's (input) or the source's. */
export function pullEnd(editor: Editor, key: string, end: Pulled["side"]): Pull | null {
  const { graph } = editor.tab;
  const link = graph.links[key];
  if (link === undefined) return null;
  const [source, target] = [sourceOf(graph, link), targetOf(graph, link)];
  const [fixed, moved] = end === "input" ? [source, target] : [target, source];
  const detached = { links: [key], node: moved.node, socket: moved.socket };
  return { from: [fixed], seeks: end, detached };
}

/** Detaches all wires of an output at their source. */
function pullAll(editor: Editor, output: Pulled): Pull {
  const { graph } = editor.tab;
  const links = linksAt(graph, output);
  const from = links.flatMap((key) => {
    const link = graph.links[key];
    return link === undefined ? [] : [targetOf(graph, link)];
  });
  return { from, seeks: "output", detached: { links, node: output.node, socket: output.socket } };
}

/** Whether the sockets and wires of a pull still exist; other edits may have removed them. */
export function isStillValid(editor: Editor, { from, detached }: Pull): boolean {
  const { graph } = editor.tab;
  return (
    from.every((each) => each.node in graph.nodes) &&
    (detached?.links.every((key) => key in graph.links) ?? true)
  );
}

/** Whether the moved wires are currently connected to this socket. */
export function isAttachedHere(
  { detached, seeks }: Pull,
  { node, socket, side }: SocketId,
): boolean {
  return side === seeks && detached?.node === node && detached.socket === socket;
}

type SocketId = Pick<Pulled, "node" | "socket" | "side">;

/**
 * The state of a socket during a pull: sockets that would accept the wire are highlighted, others
 * are dimmed.
 */
export function markOf(
  editor: Editor,
  pull: Pull | null,
  { node, socket, side, type }: Pulled,
): "" | "dim" | "fit" | "held" {
  if (pull === null) return "";
  if (side !== pull.seeks) {
    const isSame = (each: Pulled) => each.node === node && each.socket === socket;
    return pull.from.some(isSame) ? "held" : "dim";
  }
  if (isAttachedHere(pull, { node, socket, side })) return "fit";
  const { graph } = editor.tab;
  const accepts = (source: Pulled) => {
    if (source.node === node) return false;
    const [from, to] = side === "input" ? [source, { node, type }] : [{ node, type }, source];
    return fits(from.type, to.type) && !feeds(graph, to.node, from.node);
  };
  return pull.from.some(accepts) ? "fit" : "dim";
}

/** The socket of a node that a drop would connect now; null for none. */
export function targetSocket({ target }: Pulling, node: string): string | null {
  if (target.kind === "nothing" || target.kind === "outside" || target.kind === "wire") return null;
  return target.node === node && target.verdict.refusal === null ? target.verdict.socket : null;
}

/** Whether a wire is detached, and so drawn to the pointer. */
export function isDetached({ pull }: Pulling, link: string): boolean {
  return pull?.detached?.links.includes(link) ?? false;
}
