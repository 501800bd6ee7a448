/**
 * Connecting without a pointer: the sockets of a node, the targets of their wires, and candidates
 * that fit.
 */
import type { Catalog } from "../../api/catalog";
import type { Graph, GraphNode } from "../../document/graph";
import { t } from "../../words/words";
import { foldingOf } from "../nodes/folding";
import { nameIn } from "../nodes/naming";
import { inputType, outputType, shapeOf } from "../nodes/shape";
import { closeness, refusal } from "../nodes/sockets";
import type { Pulled } from "./fitting";

/** A socket as listed: its node, its name, and the nodes connected to it. */
interface Socket extends Pulled {
  label: string;
  /** The titles of the nodes at the other ends of its wires. */
  joined: readonly string[];
  /** Whether it is a field that a wire can replace. */
  isField: boolean;
}

export interface Candidate {
  node: string;
  socket: string;
  title: string;
  label: string;
  type: string;
  /** The current source, which would be disconnected; null for a free socket. */
  taken: string | null;
}

/** The outputs of a node, then its input sockets, then its fields. */
export function socketsAt(graph: Graph, catalog: Catalog, key: string): Socket[] {
  const node = graph.nodes[key];
  if (node === undefined) return [];
  const schema = catalog[node.type];
  const shape = shapeOf(node, schema, false);
  const title = (other: string) => nameIn(graph, catalog, other);
  const input = (socket: string, label: string, isField: boolean): Socket => {
    const link = node.inputs.find((each) => each.name === socket)?.link;
    const from = graph.links[link ?? ""]?.from;
    const type = inputType(node, schema, socket);
    const joined = from === undefined ? [] : [title(from)];
    return { node: key, socket, side: "input", type, label, joined, isField };
  };
  return [
    ...shape.outputs.map((row): Socket => {
      const slot = Number(row.id);
      const links = node.outputs[slot]?.links ?? [];
      const joined = links.flatMap((each) => graph.links[each]?.to ?? []).map(title);
      const type = outputType(node, schema, slot);
      const label = row.label || t("added");
      return { node: key, socket: row.id, side: "output", type, label, joined, isField: false };
    }),
    ...shape.inputs.map((row) => input(row.id, row.label || t("added"), false)),
    ...shape.widgets
      .filter((row) => row.input.options.socketless !== true)
      .map((row) => input(row.input.name, row.input.name, true)),
  ];
}

/** A candidate with its rank: by type first, then free ones, then sockets before fields. */
interface Ranked {
  candidate: Candidate;
  rank: number;
}

/** The sockets of one node that a wire from this socket may connect to, the best first. */
export function candidatesOn(
  graph: Graph,
  catalog: Catalog,
  pulled: Pulled,
  key: string,
): Ranked[] {
  if (key === pulled.node) return [];
  const otherSide = pulled.side === "output" ? "input" : "output";
  const found: Ranked[] = [];
  for (const each of socketsAt(graph, catalog, key)) {
    if (each.side !== otherSide) continue;
    const [output, input] = otherSide === "input" ? [pulled, each] : [each, pulled];
    const match = closeness(output.type, input.type);
    if (match < 0 || refusal(graph, endsOf(output, input)) !== null) continue;
    if (isJoined(graph, output, input)) continue;
    const taken = otherSide === "input" ? (each.joined[0] ?? null) : null;
    const title = nameIn(graph, catalog, key);
    const { socket, label, type } = each;
    found.push({
      candidate: { node: key, socket, title, label, type, taken },
      rank: match * 4 + (taken === null ? 2 : 0) + (each.isField ? 0 : 1),
    });
  }
  return found.sort((one, other) => other.rank - one.rank);
}

/**
 * The sockets that a wire from this socket may connect to: by type and whether they are free first,
 * then by distance.
 */
export function candidatesFor(graph: Graph, catalog: Catalog, pulled: Pulled): Candidate[] {
  const { hidden } = foldingOf(graph);
  const found = graph.order
    .filter((key) => !hidden.has(key))
    .flatMap((key) => {
      const distance = distanceBetween(graph.nodes[pulled.node], graph.nodes[key]);
      return candidatesOn(graph, catalog, pulled, key).map((each) => ({ ...each, distance }));
    });
  found.sort((one, other) => other.rank - one.rank || one.distance - other.distance);
  return found.map(({ candidate }) => candidate);
}

/** Whether there is already a wire between these. */
export function isJoined(graph: Graph, output: Pulled, input: Pulled): boolean {
  const slot = graph.nodes[input.node]?.inputs.find((each) => each.name === input.socket);
  const link = graph.links[slot?.link ?? ""];
  return link?.from === output.node && String(link.fromSlot) === output.socket;
}

function endsOf(output: Pulled, input: Pulled) {
  return {
    from: output.node,
    fromType: output.type,
    to: input.node,
    toName: input.socket,
    toType: input.type,
  };
}

function distanceBetween(one: GraphNode | undefined, other: GraphNode | undefined): number {
  if (one === undefined || other === undefined) return Number.POSITIVE_INFINITY;
  return Math.hypot(one.position.x - other.position.x, one.position.y - other.position.y);
}
