/** Notes: nodes that only hold a text. They never run, and the catalog has no such types. */
import { blankNode, blankSaved } from "./blank";
import { addNode } from "./edit";
import type { Draft, GraphNode, Point, Size } from "./graph";

/** The type of a plain-text note; the next one is Markdown. */
export const PLAIN_NOTE = "Note";
export const MARKDOWN_NOTE = "MarkdownNote";
/** The name of the only entry of a note's list of values. */
export const NOTE_TEXT = "#0";

export function isNote({ type }: Pick<GraphNode, "type">): boolean {
  return type === PLAIN_NOTE || type === MARKDOWN_NOTE;
}

export function noteText(node: GraphNode): string {
  const text = node.values[NOTE_TEXT];
  return typeof text === "string" ? text : "";
}

const COLOUR = { color: "#432", bgcolor: "#653" };

export function addNote(graph: Draft, position: Point, size: Size): string {
  const id = graph.lastNodeId + 1;
  addNode(graph, {
    ...blankNode(id, MARKDOWN_NOTE, position, size),
    color: COLOUR.color,
    values: { [NOTE_TEXT]: "" },
    slots: [NOTE_TEXT],
    saved: {
      ...blankSaved(id, MARKDOWN_NOTE, position, size),
      widgets_values: [""],
      bgcolor: COLOUR.bgcolor,
    },
  });
  return String(id);
}
