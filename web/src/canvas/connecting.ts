/** Wires as they are pulled, let go, and put elsewhere with the pointer. */
import type { Connection, FinalConnectionState } from "@xyflow/react";
import { removeLink } from "../document/edit";
import { INPUTS, OUTPUTS } from "../document/graph";
import { canvas } from "../state/canvas";
import { join, refusalOf, type Wire as WireEnds } from "../state/editing/actions";
import { NEW_PORT } from "../state/editing/boundary";
import { joinToWire, moveWires, wireAt } from "../state/editing/connecting";
import { useWiring } from "../state/editing/wiring";
import type { Pulled } from "../state/finding/fitting";
import { inputsOf } from "../state/nodes/inputs";
import { inputType, outputType } from "../state/nodes/shape";
import { closeness } from "../state/nodes/sockets";
import { activeTab, edit, schemaOf } from "../state/studio";
import { useView } from "../state/view";
import type { FlowEdge } from "./flow";

function endsOf(connection: Connection | FlowEdge): WireEnds | null {
  const { source, sourceHandle, target, targetHandle } = connection;
  if (sourceHandle == null || targetHandle == null) return null;
  return { from: source, slot: Number(sourceHandle), to: target, input: targetHandle };
}

export function joinEnds(connection: Connection): void {
  const ends = endsOf(connection);
  if (ends !== null && !isStopped) join(ends);
}

/** Escape was pressed: the library, which knows no such end, is told that the wire was let go. */
let isStopped = false;

function stopPulling(): void {
  isStopped = true;
  document.dispatchEvent(new MouseEvent("mouseup"));
}

export function mayJoin(connection: Connection | FlowEdge): boolean {
  const ends = endsOf(connection);
  return ends !== null && refusalOf(ends) === null;
}

/** A pulled wire was let go: over nothing, the palette offers what fits. */
export function letGo(event: MouseEvent | TouchEvent, state: FinalConnectionState): void {
  const { clientX: x, clientY: y } =
    "changedTouches" in event ? (event.changedTouches[0] ?? { clientX: 0, clientY: 0 }) : event;
  const moving = useWiring.getState().moving;
  useWiring.setState({ moving: false, stopPulling: null });
  if (isStopped) return;
  if (moving) {
    moveTo(state);
    return;
  }
  const pulled = endPulling(state, fieldAt(x, y));
  const at = canvas()?.toGraph({ x, y });
  if (pulled === null || at === undefined) return;
  const under = wireAt(at, ON_WIRE, (key) => !hangsOn(pulled, key));
  if (under === null || !joinToWire(pulled, under, at)) {
    useView.setState({ palette: { screen: { x, y }, at, pulled } });
  }
}

interface FieldAt {
  node: string;
  input: string;
}

/** The input whose field lies there: a wire that is let go on a field is meant for it. */
function fieldAt(x: number, y: number): FieldAt | null {
  const field = document.elementFromPoint(x, y)?.closest<HTMLElement>("[data-input]");
  const { input } = field?.dataset ?? {};
  const { node } = field?.closest<HTMLElement>("[data-node]")?.dataset ?? {};
  return input === undefined || node === undefined ? null : { node, input };
}

const ON_WIRE = 8;

function hangsOn({ node, socket, side }: Pulled, key: string): boolean {
  const { graph } = activeTab();
  const link = graph.links[key];
  if (side === "output") return link?.from === node && link.fromSlot === Number(socket);
  return link?.to === node && graph.nodes[node]?.inputs[link.toSlot]?.name === socket;
}

/** A wire begins to be pulled: with Shift, all the wires that the socket has are. */
export function startPulling(event: MouseEvent | TouchEvent): void {
  isStopped = false;
  useWiring.setState({ moving: event.shiftKey, menu: null, stopPulling });
}

function moveTo({ fromHandle, fromNode, toHandle, toNode }: FinalConnectionState): void {
  if (fromHandle === null || fromNode === null || toHandle === null || toNode === null) return;
  if (toHandle.type !== fromHandle.type) return;
  const side = fromHandle.type === "source" ? "output" : "input";
  moveWires(
    { node: fromNode.id, socket: fromHandle.id ?? "", side, type: "*" },
    { node: toNode.id, socket: toHandle.id ?? "" },
  );
}

/** The end of a wire was put on another socket. */
export function reconnect(edge: FlowEdge, connection: Connection): void {
  const ends = endsOf(connection);
  if (isStopped || ends === null || refusalOf(ends) !== null) return;
  const { graph } = activeTab();
  const link = graph.links[edge.id];
  const before = graph.nodes[link?.to ?? ""]?.inputs[link?.toSlot ?? -1]?.name;
  if (link === undefined || before === undefined) return;
  if (link.to === ends.to && before === ends.input) {
    if (link.from === ends.from && link.fromSlot === ends.slot) return;
    const from = { node: link.from, socket: String(link.fromSlot), type: link.type };
    const to = { node: ends.from, socket: String(ends.slot) };
    moveWires({ ...from, side: "output" }, to, edge.id);
  } else {
    moveWires(
      { node: link.to, socket: before, side: "input", type: link.type },
      {
        node: ends.to,
        socket: ends.input,
      },
    );
  }
}

/** The end of a wire was let go over nothing. */
export function disconnect(
  _event: MouseEvent | TouchEvent,
  edge: FlowEdge,
  _end: unknown,
  state: FinalConnectionState,
): void {
  useWiring.setState({ moving: false, stopPulling: null });
  if (!isStopped && state.toHandle === null && edge.id in activeTab().graph.links) {
    edit("Disconnect", (draft) => removeLink(draft, edge.id));
  }
}

/**
 * The end of pulling a wire. Over a socket that does not fit: says why. Over a node: joins the
 * closest of its sockets. Over nothing: hands back what was pulled, for the palette.
 */
function endPulling(state: FinalConnectionState, field: FieldAt | null): Pulled | null {
  const { fromHandle, fromNode, toHandle, toNode, isValid } = state;
  if (fromHandle === null || fromNode === null || isValid === true) return null;
  const isOutput = fromHandle.type === "source";
  const wire = (other: string, handle: string): WireEnds =>
    isOutput
      ? { from: fromNode.id, slot: Number(fromHandle.id), to: other, input: handle }
      : { from: other, slot: Number(handle), to: fromNode.id, input: fromHandle.id ?? "" };
  if (toHandle !== null && toNode !== null) {
    if (toHandle.type !== fromHandle.type) join(wire(toNode.id, toHandle.id ?? ""));
    return null;
  }
  if (isOutput && field !== null && field.node !== fromNode.id) {
    join(wire(field.node, field.input));
    return null;
  }
  const { graph } = activeTab();
  const node = graph.nodes[fromNode.id];
  if (node === undefined) return null;
  const schema = schemaOf(node.type);
  const type = isOutput
    ? outputType(node, schema, Number(fromHandle.id))
    : inputType(node, schema, fromHandle.id ?? "");
  if (toNode !== null && toNode.id !== fromNode.id) {
    const handle = closestSocket(toNode.id, type, isOutput);
    if (handle !== null) join(wire(toNode.id, handle));
    return null;
  }
  const side = isOutput ? "output" : "input";
  return { node: fromNode.id, socket: fromHandle.id ?? "", side, type };
}

function closestSocket(key: string, type: string, isOutput: boolean): string | null {
  const node = activeTab().graph.nodes[key];
  if (node === undefined) return null;
  // On the boundary, a wire finds a port of its own.
  if (key === OUTPUTS) return isOutput ? NEW_PORT : null;
  if (key === INPUTS) return isOutput ? null : String(node.outputs.length);
  const schema = schemaOf(node.type);
  const free = (name: string) =>
    node.inputs.some((each) => each.name === name && each.link !== null) ? 0 : 0.5;
  const sockets = isOutput
    ? (schema === undefined ? [] : inputsOf(schema, node))
        .filter((each) => each.section !== "hidden")
        .map((each) => ({ id: each.name, near: closeness(type, each.type) + free(each.name) }))
    : (schema?.outputs ?? []).map((each, index) => ({
        id: String(index),
        near: closeness(each.type, type),
      }));
  const best = sockets
    .filter((each) => each.near >= 0)
    .sort((one, other) => other.near - one.near)[0];
  return best?.id ?? null;
}
