/**
 * A wire while it is pulled: the sockets that hold it, the sockets it may join, and the target that
 * the pointer is over. Begun and moved by the canvas (`canvas/Pulling.tsx`); whoever draws sockets
 * or wires reads it here. Nothing of it is in the document until the wire is dropped.
 */
import { create } from "zustand";
import type { NodeSchema } from "../../api/types";
import type { Graph, Link, Point } from "../../document/graph";
import type { Pulled } from "../finding/fitting";
import { inputType, outputType } from "../nodes/shape";
import { feeds, fits } from "../nodes/sockets";
import { activeTab, schemaOf } from "../studio";
import type { Wire } from "./actions";

/** Wires that were picked up, and the socket that they hang on until they are dropped. */
interface Detached {
  links: readonly string[];
  node: string;
  socket: string;
}

export interface Pull {
  /**
   * The sockets that hold the wire. Several where the wires of an output are moved together, or
   * where the sockets of a collapsed node lie on one another: then the one that fits best is meant.
   */
  from: readonly Pulled[];
  /** The side of the sockets that the loose end may join. */
  seeks: Pulled["side"];
  /** Null for a new wire. */
  detached: Detached | null;
}

/** A node that turns what the wire carries into what the socket takes. */
export interface Converter {
  schema: NodeSchema;
  wire: Wire;
}

/** What a drop would come to. */
export interface Verdict {
  /** The wires that there would be; none where it is refused, or where all stays as it is. */
  ends: readonly Wire[];
  /** The socket that would be joined. */
  socket: string | null;
  /** Why nothing can be joined, in a sentence. */
  refusal: string | null;
  converters: readonly Converter[];
}

export type Target =
  | { kind: "socket" | "field" | "body"; node: string; verdict: Verdict }
  | { kind: "wire"; link: string; verdict: Verdict }
  /** Over the empty canvas. */
  | { kind: "nothing" }
  /** Over no part of the canvas. */
  | { kind: "outside" };

interface Pulling {
  pull: Pull | null;
  /** It was begun by a tap: no button is held, and the next tap ends it. */
  byTaps: boolean;
  /** Where the loose end is, in the graph. */
  at: Point;
  target: Target;
}

const NOWHERE: Target = { kind: "nothing" };

export const usePulling = create<Pulling>(() => ({
  pull: null,
  byTaps: false,
  at: { x: 0, y: 0 },
  target: NOWHERE,
}));

export function beginPull(pull: Pull, at: Point, byTaps: boolean): void {
  usePulling.setState({ pull, byTaps, at, target: NOWHERE });
}

/** Ends the pull. Nothing was changed by it so far, so that this alone is as if it had not been. */
export function endPull(): void {
  if (usePulling.getState().pull !== null) usePulling.setState({ pull: null, target: NOWHERE });
}

/** The output that a link comes from. */
export function sourceOf(graph: Graph, link: Link): Pulled {
  const node = graph.nodes[link.from];
  const type =
    node === undefined ? link.type : outputType(node, schemaOf(node.type), link.fromSlot);
  return { node: link.from, socket: String(link.fromSlot), side: "output", type };
}

/** The input that a link goes to. */
export function targetOf(graph: Graph, link: Link): Pulled {
  const node = graph.nodes[link.to];
  const socket = node?.inputs[link.toSlot]?.name ?? "";
  const type = node === undefined ? link.type : inputType(node, schemaOf(node.type), socket);
  return { node: link.to, socket, side: "input", type };
}

/** A socket as one that a wire is pulled from; null where there is no such node. */
export function pulledAt(node: string, socket: string, side: Pulled["side"]): Pulled | null {
  const found = activeTab().graph.nodes[node];
  if (found === undefined) return null;
  const schema = schemaOf(found.type);
  const type =
    side === "output"
      ? outputType(found, schema, Number(socket))
      : inputType(found, schema, socket);
  return { node, socket, side, type };
}

/** The links at a socket, in the order in which they are drawn. */
export function linksAt(graph: Graph, { node, socket, side }: SocketOf): string[] {
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
 * What pulling from sockets of one place begins. A connected input gives its wire up, with Alt it
 * begins a new one; an output begins a new one, with Shift all its wires are picked up.
 */
export function pullFrom(sockets: readonly Pulled[], alt: boolean, shift: boolean): Pull | null {
  const [first] = sockets;
  if (first === undefined) return null;
  const { graph } = activeTab();
  if (first.side === "input") {
    const joined = alt ? [] : sockets.flatMap((each) => linksAt(graph, each));
    const [last] = joined.sort(
      (one, other) => graph.linkOrder.indexOf(other) - graph.linkOrder.indexOf(one),
    );
    return last === undefined ? newPull(sockets) : pullEnd(last, "input");
  }
  const moved = shift ? sockets.find((each) => linksAt(graph, each).length > 0) : undefined;
  return moved === undefined ? newPull(sockets) : pullAll(moved);
}

/** A new wire. */
export function newPull(from: readonly Pulled[]): Pull {
  return { from, seeks: from[0]?.side === "input" ? "output" : "input", detached: null };
}

/** One end of one wire is picked up: where it goes to (input), or where it comes from. */
export function pullEnd(key: string, end: Pulled["side"]): Pull | null {
  const { graph } = activeTab();
  const link = graph.links[key];
  if (link === undefined) return null;
  const [source, target] = [sourceOf(graph, link), targetOf(graph, link)];
  const [stays, goes] = end === "input" ? [source, target] : [target, source];
  const detached = { links: [key], node: goes.node, socket: goes.socket };
  return { from: [stays], seeks: end, detached };
}

/** All wires of an output are picked up where they begin. */
function pullAll(output: Pulled): Pull {
  const { graph } = activeTab();
  const links = linksAt(graph, output);
  const from = links.flatMap((key) => {
    const link = graph.links[key];
    return link === undefined ? [] : [targetOf(graph, link)];
  });
  return { from, seeks: "output", detached: { links, node: output.node, socket: output.socket } };
}

/** Whether the sockets and wires of a pull are all still there: others may have changed the document. */
export function isStillValid({ from, detached }: Pull): boolean {
  const { graph } = activeTab();
  return (
    from.every((each) => each.node in graph.nodes) &&
    (detached?.links.every((key) => key in graph.links) ?? true)
  );
}

/** Whether the wires that are moved hang on this socket now. */
export function isAttachedHere(
  { detached, seeks }: Pull,
  { node, socket, side }: SocketOf,
): boolean {
  return side === seeks && detached?.node === node && detached.socket === socket;
}

type SocketOf = Pick<Pulled, "node" | "socket" | "side">;

/** How a socket looks meanwhile: those that would take the wire light up, the others step back. */
export function markOf(
  pull: Pull | null,
  { node, socket, side, type }: Pulled,
): "" | "dim" | "fit" | "held" {
  if (pull === null) return "";
  if (side !== pull.seeks) {
    const holds = (each: Pulled) => each.node === node && each.socket === socket;
    return pull.from.some(holds) ? "held" : "dim";
  }
  if (isAttachedHere(pull, { node, socket, side })) return "fit";
  const { graph } = activeTab();
  const takes = (held: Pulled) => {
    if (held.node === node) return false;
    const [from, to] = side === "input" ? [held, { node, type }] : [{ node, type }, held];
    return fits(from.type, to.type) && !feeds(graph, to.node, from.node);
  };
  return pull.from.some(takes) ? "fit" : "dim";
}

/** The socket of a node that would be joined by a drop now; null for none of its own. */
export function targetSocket({ target }: Pulling, node: string): string | null {
  if (target.kind === "nothing" || target.kind === "outside" || target.kind === "wire") return null;
  return target.node === node && target.verdict.refusal === null ? target.verdict.socket : null;
}

/** Whether a wire is picked up, and so drawn to the pointer instead of where it was. */
export function isDetached({ pull }: Pulling, link: string): boolean {
  return pull?.detached?.links.includes(link) ?? false;
}
