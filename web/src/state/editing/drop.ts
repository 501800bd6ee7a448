/** Drops of a pulled wire: each is one step of undo. */

import { removeLink } from "../../document/edit";
import { isBoundary, type Link, type Point } from "../../document/graph";
import { linksThrough, routeThrough } from "../../document/reroute";
import { moveSources, moveTarget } from "../../document/rewire";
import type { Pulled } from "../finding/fitting";
import { inputsOf } from "../nodes/inputs";
import { inputType, outputType } from "../nodes/shape";
import { isWidget } from "../nodes/widgets";
import type { Editor } from "../session/editor";
import { edit, schemaOf } from "../session/studio";
import { notify, useView } from "../session/view";
import { connectInDraft, fillOutputs, notifyRefused, refusalOf, type Wire } from "./actions";
import { insertionSockets, insertNode, removeWires } from "./connecting";
import { resolveTypes } from "./match";
import { isStillValid, type Pull, sourceOf, type Target } from "./pull";
import { wireBetween } from "./verdicts";

type Draft = Parameters<Parameters<typeof edit>[2]>[0];
type Workflow = Parameters<Parameters<typeof edit>[2]>[1];

/** Where a wire is dropped: on the screen, and in graph coordinates. */
interface Place {
  screen: Point;
  at: Point;
}

/**
 * Carries out the verdict on the target. Over the empty canvas, a detached wire is removed, and for
 * a new one the palette offers nodes that fit.
 */
export function dropPull(editor: Editor, pull: Pull, target: Target, place: Place): void {
  if (!isStillValid(editor, pull) || target.kind === "outside") return;
  const { detached, from } = pull;
  if (target.kind === "nothing") {
    const [pulled = null] = from;
    if (detached === null) useView.setState({ palette: { ...place, pulled } });
    else removeWires(editor, detached.links);
    return;
  }
  const { ends, socket, refusal, converters } = target.verdict;
  if (refusal !== null) notifyRefused(editor, refusal, converters, detached?.links);
  else if (ends.length === 0 || socket === null) return;
  else if (detached !== null) moveWires(editor, pull, socketOf(pull, ends));
  else if (target.kind !== "wire" || !insertIntoWire(editor, pull, ends, target.link, place.at)) {
    drawWires(editor, pull, ends);
  }
}

/** The socket that the wires are moved to. */
function socketOf({ seeks }: Pull, [wire]: readonly Wire[]): Pick<Pulled, "node" | "socket"> {
  if (wire === undefined) return { node: "", socket: "" };
  return seeks === "input"
    ? { node: wire.to, socket: wire.input }
    : { node: wire.from, socket: String(wire.slot) };
}

/** Adds new wires; one that was pulled from a reroute point branches off there. */
function drawWires(editor: Editor, { from }: Pull, ends: readonly Wire[]): void {
  edit(editor, "Connect", (draft, workflow) => {
    for (const wire of ends) {
      connectInDraft(draft, workflow, wire);
      const through = from.find((each) => each.through !== undefined)?.through;
      if (through !== undefined) routeThrough(draft, through, wire.to, wire.input);
    }
  });
}

/** Inserts a node whose output has no wire into the wire, where it fits. */
function insertIntoWire(
  editor: Editor,
  { seeks }: Pull,
  [wire]: readonly Wire[],
  key: string,
  at: Point,
): boolean {
  const node = editor.tab.graph.nodes[wire?.from ?? ""];
  const schema = node && schemaOf(node.type);
  if (seeks !== "input" || node === undefined || schema === undefined) return false;
  const isFree = node.outputs.every((each) => each.links.length === 0);
  if (!isFree || insertionSockets(editor, schema, key, node)?.slot !== wire?.slot) return false;
  return insertNode(editor, node.key, key, at);
}

/** A link that is moved, and the wire that it becomes. */
interface Move {
  key: string;
  wire: Wire;
}

/**
 * Moves the detached wires to another input or output. They remain the same links, with their
 * points and names; of several, those that do not fit are not moved.
 */
function moveWires(editor: Editor, pull: Pull, to: Pick<Pulled, "node" | "socket">): void {
  const { graph } = editor.tab;
  const reasons: string[] = [];
  const moves = (pull.detached?.links ?? []).flatMap((key): Move[] => {
    const link = graph.links[key];
    if (link === undefined) return [];
    const wire = wireBetween(fixedEnd(editor, pull, link), to.node, to.socket);
    const reason = refusalOf(editor, wire);
    if (reason === null) return [{ key, wire }];
    reasons.push(reason);
    return [];
  });
  if (moves.length > 0) {
    edit(editor, "Move the wires", (draft, workflow) => {
      const before = moves.flatMap(({ key }) => endNodes(draft, key));
      if (isBoundary(to.node)) moveToBoundary(draft, workflow, pull.seeks, moves);
      else if (pull.seeks === "output") moveStarts(draft, moves, to);
      else for (const { key } of moves) moveEnd(draft, key, to);
      const after = moves.flatMap(({ key }) => endNodes(draft, key));
      for (const each of new Set([...before, ...after])) resolveTypes(draft, each);
    });
  }
  const [reason] = reasons;
  if (reason !== undefined) notify(reason);
}

/** The end of a link that is not moved. */
function fixedEnd(editor: Editor, { seeks }: Pull, link: Link): Pulled {
  const { graph } = editor.tab;
  if (seeks === "input") return sourceOf(graph, link);
  const socket = graph.nodes[link.to]?.inputs[link.toSlot]?.name ?? "";
  return { node: link.to, socket, side: "input", type: link.type };
}

function endNodes(draft: Draft, key: string): string[] {
  const link = draft.links[key];
  return link === undefined ? [] : [link.from, link.to];
}

/** Replaces a link by a new one, as a port of the boundary may have to be made for it. */
function moveToBoundary(
  draft: Draft,
  workflow: Workflow,
  seeks: Pull["seeks"],
  moves: readonly Move[],
): void {
  for (const { key, wire } of moves) {
    if (seeks === "input") removeLink(draft, key);
    connectInDraft(draft, workflow, wire);
  }
}

function moveStarts(
  draft: Draft,
  moves: readonly Move[],
  { node: key, socket }: Pick<Pulled, "node" | "socket">,
): void {
  const node = draft.nodes[key];
  if (node === undefined) return;
  const slot = Number(socket);
  fillOutputs(node, slot);
  const links = moves.map((each) => each.key);
  moveSources(draft, links, { node: key, slot }, outputType(node, schemaOf(node.type), slot));
}

function moveEnd(
  draft: Draft,
  key: string,
  { node, socket }: Pick<Pulled, "node" | "socket">,
): void {
  const target = draft.nodes[node];
  if (target === undefined) return;
  const schema = schemaOf(target.type);
  const described = schema && inputsOf(schema, target).find((each) => each.name === socket);
  moveTarget(draft, key, {
    node,
    name: socket,
    type: inputType(target, schema, socket),
    isWidget: described !== undefined && isWidget(described),
  });
}

/** The source of a wire that branches off at a reroute point; null for a point without wires. */
export function pulledFrom(editor: Editor, point: string): Pulled | null {
  const { graph } = editor.tab;
  const link = graph.links[linksThrough(graph, point)[0] ?? ""];
  return link === undefined ? null : { ...sourceOf(graph, link), through: point };
}
