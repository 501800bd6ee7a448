/** The keyboard among nodes: which one has the focus, where arrow keys take it, and what Tab does. */
import { type Direction, nodeNear, type PreviousStep, walk } from "../../document/navigation";
import { canvas } from "../canvas";
import { foldingOf } from "../nodes/folding";
import { activeTab, select } from "../studio";

let previousStep: (PreviousStep & { at: string }) | null = null;
let added = true;

/**
 * Whether Tab on the canvas adds a node. It does for hands that come from the pointer or the
 * palette; for those that walk by keys it goes on to the next control, as everywhere.
 */
export function tabAddsNode(): boolean {
  return added;
}

export function setTabAddsNode(does: boolean): void {
  added = does;
}

/** The node that keys are about: the one with the focus, else the selected one. */
export function keyboardNode(): string | null {
  const { graph, selected } = activeTab();
  const focused = globalThis.document?.activeElement;
  const key = focused?.closest<HTMLElement>(".canvas [data-node]")?.dataset.node;
  if (key !== undefined && key in graph.nodes) return key;
  return selected[0] ?? null;
}

export function walkTo(way: Direction): void {
  const { graph } = activeTab();
  const { hidden } = foldingOf(graph);
  const at = keyboardNode();
  const handle = canvas();
  setTabAddsNode(false);
  if (at === null || hidden.has(at)) {
    const middle = handle?.toGraph(handle.pointer()) ?? { x: 0, y: 0 };
    const near = nodeNear(graph, middle, hidden);
    if (near !== null) focusOn(near);
    return;
  }
  const found = walk(graph, at, way, previousStep?.at === at ? previousStep : null, hidden);
  // Pressed at the end of the graph, the key still shows where one is.
  previousStep = found?.came == null ? null : { ...found.came, at: found.to };
  focusOn(found?.to ?? at);
}

/** Selects a node, moves the view so that it is seen, and gives it the focus. */
export function focusOn(key: string): void {
  setTabAddsNode(false);
  select([key]);
  canvas()?.focusNode(key);
}

/** From a node into the first of its fields. */
export function editNode(): void {
  const key = keyboardNode();
  if (key !== null) canvas()?.focusNode(key, "field");
}

/** The node whose field has the focus, on the canvas or in the inspector; null where none has. */
export function nodeOfField(): string | null {
  const focused = globalThis.document?.activeElement ?? null;
  if (focused?.matches(".inspector :is(input, textarea)")) return activeTab().selected[0] ?? null;
  const card = focused?.closest<HTMLElement>(".canvas [data-node]") ?? null;
  return card === null || card === focused ? null : (card.dataset.node ?? null);
}
