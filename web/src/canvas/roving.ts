/** Roving focus on nodes: Tab reaches one node at a time, and the view follows the focus. */

import type { useReactFlow } from "@xyflow/react";
import { type RefObject, useEffect, useMemo } from "react";
import { MODE } from "../document/graph";
import { connectionsText } from "../state/nodes/naming";
import { boundsOf } from "../state/nodes/shape";
import type { CanvasHandle } from "../state/session/canvas";
import { type Editor, useCatalog, useEditor, useTab } from "../state/session/editor";
import { animationDuration } from "../state/session/motion";
import { t } from "../words/words";
import { RUN_BAR } from "./fitting";
import type { FlowEdge, FlowNode } from "./flow";

type Flow = ReturnType<typeof useReactFlow<FlowNode, FlowEdge>>;

const places = new WeakMap<readonly string[], ReadonlyMap<string, number>>();

function placeIn(order: readonly string[], key: string): number {
  const indices = places.get(order) ?? new Map(order.map((each, index) => [each, index + 1]));
  places.set(order, indices);
  return indices.get(key) ?? 0;
}

const NO_SENTENCES: readonly string[] = [];

/**
 * The attributes that make a node focusable and describe it after its name: its place and the
 * total, its mode, its problems, and, for the one with the focus, its connections.
 */
export function useRoving(key: string, sentences = NO_SENTENCES, state?: string) {
  const isFirst = useTab((tab) => tab.selected[0] === key);
  const mode = useTab((tab) => tab.graph.nodes[key]?.mode);
  const place = useTab(({ graph }) => placeIn(graph.order, key));
  const total = useTab(({ graph }) => graph.order.length);
  const links = useTab((tab) => (isFirst ? tab.graph.links : null));
  const catalog = useCatalog();
  const editor = useEditor();
  const wires = useMemo(
    // From the links alone: dragging a node does not change them, so nothing is announced again.
    () => (links === null ? "" : connectionsText({ ...editor.graph, links }, catalog, key)),
    [links, catalog, key, editor],
  );
  useEffect(() => {
    if (isFirst) moveFocus(editor, key);
  }, [isFirst, key, editor]);
  const parts = [
    t("{{place}} of {{total}}", { place, total }),
    mode === MODE.muted ? t("muted") : "",
    mode === MODE.bypassed ? t("bypassed") : "",
    state ?? "",
    sentences.length > 0 ? t("error: {{text}}", { text: sentences.join(" ") }) : "",
    wires,
  ];
  return { tabIndex: isFirst ? 0 : -1, "aria-description": parts.filter(Boolean).join(", ") };
}

/**
 * Moves the focus to a node that was pasted or copied, and so selected, instead of leaving it on
 * the old one.
 */
function moveFocus({ tab, isFocused }: Editor, key: string): void {
  const focused = document.activeElement;
  if (!(focused instanceof HTMLElement) || !isFocused) return;
  const canvas = focused.matches("[data-node]") ? focused.closest(".canvas") : null;
  if (canvas === null || tab.selected.includes(focused.dataset.node ?? "")) return;
  const card = canvas.querySelector<HTMLElement>(`[data-node="${CSS.escape(key)}"]`);
  card?.focus({ preventScroll: true });
}

/** The least zoom at which a node is legible; below it nodes are not built. */
const MIN_LEGIBLE_ZOOM = 0.4;
const REVEAL_ZOOM = 0.85;
const MARGIN = 24;

/** The width of the canvas that a drawer covers. */
function coveredBy(box: HTMLElement): number {
  return box.parentElement?.querySelector(".drawer")?.clientWidth ?? 0;
}

/** Moves the view only if the node is not wholly visible. */
function reveal({ graph }: Editor, flow: Flow, box: HTMLElement, key: string): void {
  const bounds = boundsOf(graph, [key]);
  if (bounds === null) return;
  const zoom = flow.getZoom();
  const { x, y } = flow.getViewport();
  const [left, top] = [bounds.x * zoom + x, bounds.y * zoom + y];
  const { clientWidth, clientHeight } = box;
  const covered = coveredBy(box);
  const isVisible =
    left >= covered + MARGIN &&
    top >= MARGIN &&
    left + bounds.width * zoom <= clientWidth - MARGIN &&
    top + bounds.height * zoom <= clientHeight - RUN_BAR;
  if (isVisible && zoom >= MIN_LEGIBLE_ZOOM) return;
  const middle = { x: bounds.x + bounds.width / 2, y: bounds.y + bounds.height / 2 };
  const targetZoom = zoom >= MIN_LEGIBLE_ZOOM ? zoom : REVEAL_ZOOM;
  void flow.setCenter(middle.x - covered / 2 / targetZoom, middle.y + RUN_BAR / 2 / targetZoom, {
    zoom: targetZoom,
    duration: animationDuration(),
  });
}

let cancelWait: (() => void) | null = null;

/** Runs `then` with the node's element once it is built: the view may have to move there first. */
function whenBuilt(box: HTMLElement, key: string, then: (card: HTMLElement) => void): void {
  cancelWait?.();
  const find = () => box.querySelector<HTMLElement>(`[data-node="${CSS.escape(key)}"]`);
  const found = find();
  if (found !== null) {
    then(found);
    return;
  }
  const before = document.activeElement;
  const watch = new MutationObserver(() => {
    const card = find();
    if (card === null) return;
    cancelWait?.();
    // If the user has moved the focus meanwhile, it stays there.
    const now = document.activeElement;
    if (now === before || now === document.body) then(card);
  });
  watch.observe(box, { childList: true, subtree: true });
  cancelWait = () => {
    watch.disconnect();
    cancelWait = null;
  };
}

const FIELDS =
  ".widget :is(input, textarea, select, button, [tabindex]):not([tabindex='-1'], :disabled)";

export function focusing(editor: Editor, flow: Flow, ref: RefObject<HTMLElement | null>): Focusing {
  return {
    focus: () => ref.current?.focus({ preventScroll: true }),
    reveal: (key) => {
      if (ref.current !== null) reveal(editor, flow, ref.current, key);
    },
    focusNode: (key, part = "node") => {
      const box = ref.current;
      if (box === null) return;
      reveal(editor, flow, box, key);
      whenBuilt(box, key, (card) => {
        const field = part === "field" ? card.querySelector<HTMLElement>(FIELDS) : null;
        (field ?? card).focus({ preventScroll: true });
      });
    },
  };
}

type Focusing = Pick<CanvasHandle, "focus" | "focusNode" | "reveal">;
