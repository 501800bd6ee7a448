/**
 * Keyboard navigation among nodes: the focused node, where arrow keys move the focus, and what Tab
 * does.
 */

import { type Direction, nodeNear, type PreviousStep, walk } from "../../document/navigation";
import { foldingOf } from "../nodes/folding";
import { canvas } from "../session/canvas";
import type { Editor } from "../session/editor";
import { select } from "../session/studio";

let previousStep: (PreviousStep & { at: string }) | null = null;
let added = true;

/**
 * Whether Tab on the canvas adds a node. It does after use of the pointer or the palette; during
 * keyboard navigation it moves to the next control, as everywhere.
 */
export function tabAddsNode(): boolean {
  return added;
}

export function setTabAddsNode(addsNode: boolean): void {
  added = addsNode;
}

/** The node that keys act on: the focused one, else the selected one. */
export function keyboardNode(editor: Editor): string | null {
  const { graph, selected } = editor.tab;
  const focused = globalThis.document?.activeElement;
  const key = focused?.closest<HTMLElement>(".canvas [data-node]")?.dataset.node;
  if (key !== undefined && key in graph.nodes) return key;
  return selected[0] ?? null;
}

export function walkTo(editor: Editor, direction: Direction): void {
  const { graph } = editor.tab;
  const { hidden } = foldingOf(graph);
  const at = keyboardNode(editor);
  const handle = canvas();
  setTabAddsNode(false);
  if (at === null || hidden.has(at)) {
    const middle = handle?.toGraph(handle.pointer()) ?? { x: 0, y: 0 };
    const near = nodeNear(graph, middle, hidden);
    if (near !== null) focusOn(editor, near);
    return;
  }
  const found = walk(graph, at, direction, previousStep?.at === at ? previousStep : null, hidden);
  // Also at the end of the graph, where nothing changes, the key focuses the current node.
  previousStep = found?.previous == null ? null : { ...found.previous, at: found.to };
  focusOn(editor, found?.to ?? at);
}

/** Selects a node, moves the view so that it is visible, and focuses it. */
export function focusOn(editor: Editor, key: string): void {
  setTabAddsNode(false);
  select(editor, [key]);
  canvas()?.focusNode(key);
}

/** Moves the focus from a node to its first field. */
export function editNode(editor: Editor): void {
  const key = keyboardNode(editor);
  if (key !== null) canvas()?.focusNode(key, "field");
}

/** The node whose field is focused, on the canvas or in the inspector; null where none is. */
export function nodeOfField(editor: Editor): string | null {
  const focused = globalThis.document?.activeElement ?? null;
  if (focused?.matches(".inspector :is(input, textarea)")) return editor.tab.selected[0] ?? null;
  const card = focused?.closest<HTMLElement>(".canvas [data-node]") ?? null;
  return card === null || card === focused ? null : (card.dataset.node ?? null);
}
