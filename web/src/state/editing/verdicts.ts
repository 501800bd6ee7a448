/**
 * What a drop of a pulled wire would do: one decision for highlights, messages and edits, for
 * pointer, taps and keys.
 */

import type { NodeSchema } from "../../api/types";
import { type GraphNode, INPUTS, isBoundary } from "../../document/graph";
import { t } from "../../words/words";
import { candidatesOn, isJoined, socketsAt } from "../finding/candidates";
import type { Pulled } from "../finding/fitting";
import { NEW_PORT } from "../nodes/boundary";
import { titleOf } from "../nodes/naming";
import { closeness, nameOf } from "../nodes/sockets";
import type { Editor } from "../session/editor";
import { schemaOf, useStudio } from "../session/studio";
import { convertersOf, refusalOf, type Wire } from "./actions";
import {
  type Converter,
  isAttachedHere,
  type Pull,
  pulledAt,
  targetOf,
  type Verdict,
} from "./pull";

const NO_CHANGE: Verdict = { ends: [], socket: null, refusal: null, converters: [] };

/** The wire between a socket that holds one and another socket. */
export function wireBetween(pulled: Pulled, node: string, socket: string): Wire {
  return pulled.side === "output"
    ? { from: pulled.node, slot: Number(pulled.socket), to: node, input: socket }
    : { from: node, slot: Number(socket), to: pulled.node, input: pulled.socket };
}

/** The verdict for a drop on a socket. */
export function verdictAt(editor: Editor, pull: Pull, node: string, socket: string): Verdict {
  if (isAttachedHere(pull, { node, socket, side: pull.seeks })) return { ...NO_CHANGE, socket };
  const wires = pull.from.map((pulled) => wireBetween(pulled, node, socket));
  const allowed = wires.filter((each) => refusalOf(editor, each) === null);
  const [first] = wires;
  if (allowed.length > 0) {
    const ends = pull.detached === null ? [closest(editor, pull, allowed, node, socket)] : allowed;
    return { ends, socket, refusal: null, converters: [] };
  }
  if (first === undefined) return NO_CHANGE;
  const converters = wires.flatMap((wire) =>
    convertersOf(editor, wire).map((schema: NodeSchema): Converter => ({ schema, wire })),
  );
  return { ends: [], socket, refusal: refusalOf(editor, first), converters };
}

/** Of overlapping sockets, the wire from the one whose type fits best. */
function closest(
  editor: Editor,
  pull: Pull,
  wires: readonly Wire[],
  node: string,
  socket: string,
): Wire {
  const other = pulledAt(editor, node, socket, pull.seeks);
  const score = (wire: Wire) => {
    const pulled = pull.from.find((each) => isSame(wireBetween(each, node, socket), wire));
    if (pulled === undefined || other === null) return -1;
    return pull.seeks === "input"
      ? closeness(pulled.type, other.type)
      : closeness(other.type, pulled.type);
  };
  const [best] = [...wires].sort((one, two) => score(two) - score(one));
  return best as Wire;
}

function isSame(one: Wire, other: Wire): boolean {
  return (
    one.from === other.from &&
    one.slot === other.slot &&
    one.to === other.to &&
    one.input === other.input
  );
}

/**
 * The verdict for a drop on a node: on the row under the pointer where that fits, else on the
 * socket that fits best.
 */
export function verdictOn(editor: Editor, pull: Pull, key: string, row: string | null): Verdict {
  const node = editor.tab.graph.nodes[key];
  if (node === undefined) return NO_CHANGE;
  if (row !== null) {
    const pointed = verdictAt(editor, pull, key, row);
    if (pointed.refusal === null) return pointed;
  }
  const { detached } = pull;
  if (detached?.node === key) return { ...NO_CHANGE, socket: detached.socket };
  const place = newPortSocket(pull, node);
  const best = place ?? bestOn(editor, pull, key);
  return best === undefined ? refusedOn(editor, pull, node) : verdictAt(editor, pull, key, best);
}

/** The empty socket of a subgraph's boundary, which makes a new port. */
function newPortSocket({ seeks }: Pull, node: GraphNode): string | null {
  if (!isBoundary(node.key)) return null;
  if (node.key === INPUTS) return seeks === "output" ? String(node.outputs.length) : null;
  return seeks === "input" ? NEW_PORT : null;
}

/**
 * The socket of a node that fits best, in the order of the keyboard's list. Undefined where that
 * socket is occupied and the wire's source is connected to this node already: a drop on the node
 * must not replace another wire then; a drop on its row does.
 */
function bestOn(editor: Editor, pull: Pull, key: string): string | undefined {
  const { graph } = editor.tab;
  const { catalog } = useStudio.getState();
  const [best] = pull.from
    .flatMap((pulled) => candidatesOn(graph, catalog, pulled, key))
    .sort((one, other) => other.rank - one.rank);
  if (best === undefined) return undefined;
  const { socket, taken } = best.candidate;
  return taken !== null && pull.from.some((pulled) => isJoinedTo(editor, pulled, key))
    ? undefined
    : socket;
}

/** Whether a socket has a wire to a node. */
function isJoinedTo(editor: Editor, pulled: Pulled, key: string): boolean {
  const { graph } = editor.tab;
  const { catalog } = useStudio.getState();
  return socketsAt(graph, catalog, key).some((each) =>
    pulled.side === "output"
      ? each.side === "input" && isJoined(graph, pulled, each)
      : each.side === "output" && isJoined(graph, each, pulled),
  );
}

/** The verdict where no socket of the node fits: the reason, and nodes that convert. */
function refusedOn(editor: Editor, pull: Pull, node: GraphNode): Verdict {
  const { graph } = editor.tab;
  const { catalog } = useStudio.getState();
  const { seeks } = pull;
  const [pulled] = pull.from;
  if (pulled === undefined) return NO_CHANGE;
  const sockets = socketsAt(graph, catalog, node.key).filter((each) => each.side === seeks);
  const verdicts = sockets.map(({ socket }) => verdictAt(editor, pull, node.key, socket));
  // Where a type fits but is refused for another reason, that reason is reported.
  const fitting = sockets.findIndex(({ type }) =>
    pull.from.some((each) =>
      seeks === "input" ? closeness(each.type, type) >= 0 : closeness(type, each.type) >= 0,
    ),
  );
  const all = verdicts.flatMap((each) => each.converters);
  const converters = all
    .filter((each, index) => all.findIndex(({ schema }) => schema === each.schema) === index)
    .slice(0, MAX_CONVERTERS);
  const known = pull.from.every((each) => each.node === node.key)
    ? t("A node cannot be connected to itself.")
    : verdicts[fitting]?.refusal;
  const joined = pull.from.some((each) => isJoinedTo(editor, each, node.key));
  const title = titleOf(node, schemaOf(node.type));
  const values = { node: title, type: nameOf(pulled.type) };
  const none =
    seeks === "input"
      ? t("{{node}} has no input that takes {{type}}.", values)
      : t("{{node}} has no output of {{type}}.", values);
  const refusal = joined ? t("These are connected already.") : (known ?? none);
  return { ends: [], socket: null, refusal, converters };
}

const MAX_CONVERTERS = 3;

/**
 * The verdict for a drop on another wire: connects to its target or its source. Null where it does
 * not fit.
 */
export function verdictOnWire(editor: Editor, pull: Pull, key: string): Verdict | null {
  const { graph } = editor.tab;
  const link = graph.links[key];
  if (link === undefined) return null;
  const { socket } = targetOf(graph, link);
  const verdict =
    pull.seeks === "input"
      ? verdictAt(editor, pull, link.to, socket)
      : verdictAt(editor, pull, link.from, String(link.fromSlot));
  return verdict.refusal === null && verdict.ends.length > 0 ? verdict : null;
}
