/** The context menu (right button or menu key) of a node, a frame, a wire or the empty canvas. */

import { useReactFlow } from "@xyflow/react";
import { type RefObject, useEffect, useRef } from "react";
import type { Point } from "../document/graph";
import { isTyping } from "../state/commands/keymap";
import { paintSelected } from "../state/editing/arranging";
import { paintFrame } from "../state/editing/framing";
import { useWiring } from "../state/editing/wiring";
import { customPaint } from "../state/nodes/colours";
import { pictureAt } from "../state/results/pictureActions";
import { type Editor, useEditor, useGesture } from "../state/session/editor";
import { endThread, select } from "../state/session/studio";
import { Menu } from "../widgets/Menu";
import { t } from "../words/words";
import { draggedAt } from "./dragging";
import { closeMenu, itemsOf, openMenu, type Target, useColourRequest, useMenu } from "./menus";

interface Props {
  box: RefObject<HTMLElement | null>;
  /** Nodes are painted, so there are no elements under the pointer. */
  overview: boolean;
}

export function ContextMenu({ box, overview }: Props) {
  const editor = useEditor();
  const opened = useGesture(useMenu, (state) => state.opened, null);
  const isFocused = useGesture(useMenu, () => true, false);
  const flow = useReactFlow();
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const open = (event: MouseEvent) => {
      if (isTyping(event.target) && !(event.target as Element).matches(":read-only")) return;
      // Fields have their own menu.
      if (event.target instanceof Element && event.target.closest(".field-box") !== null) return;
      // Pictures have theirs, with the node's entries in it.
      if (pictureAt(event.target) !== null) return;
      event.preventDefault();
      const target = targetOf(editor, event, (screen) =>
        overview
          ? draggedAt(editor, flow.screenToFlowPosition(screen), flow.getZoom(), false)
          : null,
      );
      const at = placeOf(event);
      if (target === null) return;
      if ("wire" in target) {
        select(editor, [], [target.wire]);
        useWiring.setState({
          menu: { link: target.wire, screen: at, at: flow.screenToFlowPosition(at) },
        });
      } else openMenu(editor, target, at);
    };
    element.addEventListener("contextmenu", open);
    return () => element.removeEventListener("contextmenu", open);
  }, [editor, box, flow, overview]);
  return (
    <>
      {opened !== null && (
        <Menu
          key={`${opened.at.x} ${opened.at.y}`}
          label={labelOf(opened.target)}
          items={itemsOf(editor, opened.target)}
          at={opened.at}
          onClose={closeMenu}
        />
      )}
      {isFocused && <ColourAsked />}
    </>
  );
}

function targetOf(
  editor: Editor,
  event: MouseEvent,
  painted: (at: Point) => Target | null,
): Target | { wire: string } | null {
  if (!(event.target instanceof Element)) return null;
  const key = (selector: string, name: string) =>
    (event.target as Element).closest(selector)?.getAttribute(name) ?? null;
  const frame = key("[data-frame]", "data-frame");
  if (frame !== null) return { kind: "frame", key: frame };
  const node = key(".react-flow__node", "data-id");
  if (node !== null) return { kind: "node", key: node };
  const wire = key(".react-flow__edge", "data-id");
  if (wire !== null) return { wire };
  if (event.target.closest(".react-flow__pane") === null) return null;
  // The menu key acts on the selection; the pointer on what is under it.
  const [selected] = editor.tab.selected;
  if (event.button !== 2 && selected !== undefined) return { kind: "node", key: selected };
  return painted({ x: event.clientX, y: event.clientY }) ?? { kind: "canvas" };
}

/** In some browsers the menu key's event has no place; the place of the focus is used then. */
function placeOf(event: MouseEvent): Point {
  if (event.clientX !== 0 || event.clientY !== 0) return { x: event.clientX, y: event.clientY };
  const { left = 0, top = 0 } = document.activeElement?.getBoundingClientRect() ?? {};
  return { x: left + 12, y: top + 12 };
}

function labelOf({ kind }: Target): string {
  if (kind === "frame") return t("Group");
  if (kind === "canvas") return t("Canvas");
  if (kind === "align") return t("Align and distribute");
  if (kind === "colour") return t("Colour");
  return t("Selected nodes");
}

/** The browser's colour picker. Changes show at once, and all together are one undo step. */
function ColourAsked() {
  const editor = useEditor();
  const { frame, asked } = useColourRequest();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (asked > 0) input.current?.showPicker();
  }, [asked]);
  const pick = (hex: string) => {
    if (frame === null) paintSelected(editor, customPaint(hex), `colour ${asked}`);
    else paintFrame(editor, frame, hex, `colour ${asked}`);
  };
  return (
    <input
      ref={input}
      type="color"
      className="colour-asked"
      aria-label={t("Another colour…")}
      tabIndex={-1}
      onInput={(event) => pick(event.currentTarget.value)}
      onBlur={() => endThread(editor)}
    />
  );
}
