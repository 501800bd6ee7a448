/** The clipboard, while the canvas is mounted: nodes as plain JSON, files, images. */

import type { useReactFlow } from "@xyflow/react";
import { type RefObject, useEffect, useRef } from "react";
import type { Point } from "../document/graph";
import { isTyping } from "../state/commands/keymap";
import { removeSelected } from "../state/editing/actions";
import { paste, selectionAsText } from "../state/editing/clipboard";
import { uploadToSelected } from "../state/fields/media";
import { openFiles } from "../state/files/files";
import { setCanvas } from "../state/session/canvas";
import { Editor, useEditor } from "../state/session/editor";
import { animationDuration } from "../state/session/motion";
import { notifyError } from "../state/session/view";
import { isFitted, showNodes } from "./fitting";
import type { FlowEdge, FlowNode } from "./flow";
import { focusing } from "./roving";

type Flow = ReturnType<typeof useReactFlow<FlowNode, FlowEdge>>;

const glide = () => ({ duration: animationDuration() });

/**
 * Elements with selectable text. A press elsewhere clears the text selection, so copying is about
 * nodes again.
 */
const READ = "input, textarea, .note-text, .shown-text";

/**
 * Gives other parts access to the canvas, and listens to the clipboard. Returns the last place of
 * the pointer.
 */
export function useCanvasHandle(
  _editor: Editor,
  flow: Flow,
  box: RefObject<HTMLElement | null>,
): RefObject<Point | null> {
  const editor = useEditor();
  const pointer = useRef<Point | null>(null);
  useEffect(() => {
    const size = () => box.current?.getBoundingClientRect() ?? new DOMRect();
    const place = (): Point => {
      const { left, top, width, height } = size();
      return pointer.current ?? { x: left + width / 2, y: top + height / 2 };
    };
    const forget = setCanvas(editor.id, {
      fit: (keys) => showNodes(editor, flow, size(), keys),
      fits: (id) => isFitted(new Editor(id), size()),
      zoomIn: () => void flow.zoomIn(glide()),
      zoomOut: () => void flow.zoomOut(glide()),
      zoomTo: (zoom) => void flow.zoomTo(zoom, glide()),
      toGraph: (screen) => flow.screenToFlowPosition(screen),
      pointer: place,
      ...focusing(editor, flow, box),
    });
    // The browser's paste event does not report Shift; the key event before it does.
    let withLinks = false;
    const note = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() === "v") withLinks = event.shiftKey;
    };
    const pasted = (event: ClipboardEvent) => {
      if (isTyping(event.target) || !editor.isFocused) return;
      const at = flow.screenToFlowPosition(place());
      const [file] = event.clipboardData?.files ?? [];
      if (file !== undefined && uploadToSelected(editor, file)) event.preventDefault();
      else if (file !== undefined) void openFiles(editor, [file], at);
      else pasteAt(editor, event, at, withLinks);
      event.preventDefault();
    };
    const press = (event: PointerEvent) => {
      if (event.target instanceof Element && event.target.closest(READ) === null) {
        window.getSelection()?.removeAllRanges();
      }
    };
    const element = box.current;
    element?.addEventListener("pointerdown", press, true);
    window.addEventListener("keydown", note);
    const copied = (event: ClipboardEvent) => copy(editor, event);
    window.addEventListener("copy", copied);
    window.addEventListener("cut", copied);
    window.addEventListener("paste", pasted);
    return () => {
      forget();
      element?.removeEventListener("pointerdown", press, true);
      window.removeEventListener("keydown", note);
      window.removeEventListener("copy", copied);
      window.removeEventListener("cut", copied);
      window.removeEventListener("paste", pasted);
    };
  }, [editor, flow, box]);
  return pointer;
}

/** Synchronous, in the event itself: a paste right after it must find the copied nodes. */
function copy(editor: Editor, event: ClipboardEvent): void {
  if (!editor.isFocused || isTyping(event.target) || window.getSelection()?.isCollapsed === false)
    return;
  const text = selectionAsText(editor);
  if (text === null) return;
  event.clipboardData?.setData("text/plain", text);
  event.preventDefault();
  if (event.type === "cut") removeSelected(editor);
}

function pasteAt(editor: Editor, event: ClipboardEvent, at: Point, withLinks: boolean): void {
  const text = event.clipboardData?.getData("text/plain") ?? "";
  const html = event.clipboardData?.getData("text/html") ?? "";
  try {
    paste(editor, { text, html }, at, withLinks);
  } catch (error) {
    notifyError(error);
  }
}
