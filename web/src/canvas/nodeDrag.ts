/**
 * What dragging a node does besides moving it: dropping on a wire inserts the node, shaking
 * disconnects it, Alt copies it.
 */

import { duplicateAt } from "../state/editing/clipboard";
import { insertionSockets, insertNode, pullOutOfWires, wireAt } from "../state/editing/connecting";
import { beginDrag, endDrag, isDragged, leaveDrag } from "../state/editing/moving";
import { useWiring } from "../state/editing/wiring";
import { bodyAt, boundsOf } from "../state/nodes/shape";
import { canvas } from "../state/session/canvas";
import type { Editor } from "../state/session/editor";
import { undoEdit } from "../state/session/studio";

/**
 * The distance from a wire within which the pointer counts as on it: in graph coordinates, and the
 * least in pixels.
 */
const WIRE_DISTANCE = 28;
const MIN_WIRE_DISTANCE = 8;
const SHAKE_TURNS = 5;
const SHAKE_TIME = 700;
const SHAKE_WIDTH = 24;

interface Drag {
  editor: Editor;
  copying: boolean;
  /** The number of edits before the drag. */
  before: number;
  turns: number[];
  turnedAt: number;
  direction: number;
}

let drag: Drag | null = null;

export type Dragged = MouseEvent | TouchEvent | React.MouseEvent;

export function startDrag(editor: Editor, event: Dragged): void {
  beginDrag(editor);
  drag = {
    editor,
    copying: event.altKey,
    before: editor.tab.log.done.length,
    turns: [],
    turnedAt: "clientX" in event ? event.clientX : 0,
    direction: 0,
  };
}

/** Runs after each step of a drag of these nodes. */
export function followDrag(event: Dragged, keys: readonly string[]): void {
  if (drag === null) return;
  const { editor } = drag;
  if ("clientX" in event && isShaken(drag, event.clientX)) {
    // In the same undo step as the move.
    pullOutOfWires(editor, keys, editor.tab.log.done.at(-1)?.thread ?? undefined);
    drag.turns = [];
  }
  const [key] = keys;
  const mayInsert = keys.length === 1 && !drag.copying && isDragged();
  const over = mayInsert && key !== undefined ? wireUnder(editor, key, event) : null;
  if (over !== useWiring.getState().over) useWiring.setState({ over });
}

/** Runs when the button is released: nodes stay there, and one over a wire is inserted into it. */
export function finishDrag(shown: Editor, keys: readonly string[]): void {
  const { over } = useWiring.getState();
  const ended = drag;
  const editor = ended?.editor ?? shown;
  drag = null;
  const [key] = keys;
  if (over !== null && key !== undefined && ended !== null) {
    // In the same undo step as the move.
    const thread = editor.tab.log.done.at(-1)?.thread ?? undefined;
    insertNode(editor, key, over, middleOf(editor, key), thread);
  }
  endDrag(editor);
  if (ended?.copying === true) dropCopies(ended, keys);
  if (over !== null) useWiring.setState({ over: null });
}

/** Runs when the canvas is unmounted: dragged nodes stay where they are. */
export function dropDrag(editor: Editor): void {
  drag = null;
  leaveDrag(editor);
  useWiring.setState({ over: null });
}

/** Moves the nodes back, and leaves copies with the same inputs where they were dropped. */
function dropCopies({ editor, before }: Drag, keys: readonly string[]): void {
  const { log, graph } = editor.tab;
  if (log.done.length <= before) return;
  const bounds = boundsOf(graph, keys);
  undoEdit(editor);
  if (bounds !== null) duplicateAt(editor, keys, bodyAt(bounds));
}

/** Whether the pointer moved to and fro several times within a short time. */
function isShaken(now: Drag, x: number): boolean {
  const moved = x - now.turnedAt;
  if (now.direction === 0 || Math.sign(moved) === now.direction) {
    if (Math.abs(moved) > SHAKE_WIDTH) now.direction = Math.sign(moved);
    if (Math.sign(moved) === now.direction) now.turnedAt = x;
    return false;
  }
  if (Math.abs(moved) < SHAKE_WIDTH) return false;
  const at = performance.now();
  now.direction = Math.sign(moved);
  now.turnedAt = x;
  now.turns = [...now.turns.filter((each) => at - each < SHAKE_TIME), at];
  return now.turns.length >= SHAKE_TURNS;
}

function middleOf({ graph }: Editor, key: string) {
  const bounds = boundsOf(graph, [key]);
  return bounds === null
    ? { x: 0, y: 0 }
    : { x: bounds.x + bounds.width / 2, y: bounds.y + bounds.height / 2 };
}

/** The wire under the pointer, or under the middle of the node, for a node without wires. */
function wireUnder(editor: Editor, key: string, event: Dragged): string | null {
  const { graph } = editor;
  const node = graph.nodes[key];
  const schema = node && editor.schemaOf(node.type);
  if (node === undefined || schema === undefined) return null;
  const joined =
    node.inputs.some((each) => each.link !== null) ||
    node.outputs.some((each) => each.links.length > 0);
  if (joined) return null;
  const fits = (link: string) => insertionSockets(editor, schema, link, node) !== null;
  const pointer =
    "clientX" in event
      ? canvas(editor.id)?.toGraph({ x: event.clientX, y: event.clientY })
      : undefined;
  const reach = Math.max(WIRE_DISTANCE, Math.min(node.size.height / 2, 60));
  const near = Math.max(WIRE_DISTANCE, MIN_WIRE_DISTANCE / (editor.tab.viewport?.zoom ?? 1));
  const below = pointer === undefined ? null : wireAt(editor, pointer, near, fits);
  return below ?? wireAt(editor, middleOf(editor, key), reach, fits);
}
