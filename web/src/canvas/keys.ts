/** The keys, as users of ComfyUI know them. Single letters act only while no field has the focus. */
import type { useReactFlow } from "@xyflow/react";
import { type RefObject, useEffect, useRef } from "react";
import { moveNodes } from "../document/edit";
import { MODE, type Point } from "../document/graph";
import {
  copiedText,
  duplicateSelected,
  groupSelected,
  pasteText,
  removeSelected,
  selectAll,
  toggleCollapsed,
  toggleMode,
} from "../state/actions";
import { openFile, refreshCatalog, save } from "../state/files";
import { interrupt, run } from "../state/running";
import { GRID } from "../state/shape";
import { activeTab, edit, endThread, newTab, redoEdit, select, undoEdit } from "../state/studio";
import { tellError, toggleDock, useView } from "../state/view";
import type { FlowEdge, FlowNode } from "./flow";
import { showAll } from "./ZoomBar";

type Flow = ReturnType<typeof useReactFlow<FlowNode, FlowEdge>>;

const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -GRID, y: 0 },
  ArrowRight: { x: GRID, y: 0 },
  ArrowUp: { x: 0, y: -GRID },
  ArrowDown: { x: 0, y: GRID },
};

/** Hears keys and pasting while the canvas is there. Returns where the pointer was last. */
export function useKeys(flow: Flow, box: RefObject<HTMLElement | null>): RefObject<Point | null> {
  const pointer = useRef<Point | null>(null);
  useEffect(() => {
    const place = (): Point => {
      const {
        left = 0,
        top = 0,
        width = 0,
        height = 0,
      } = box.current?.getBoundingClientRect() ?? {};
      return pointer.current ?? { x: left + width / 2, y: top + height / 2 };
    };
    const openPalette = () => {
      const screen = place();
      const at = flow.screenToFlowPosition(screen);
      useView.setState({ palette: { screen, at, pulled: null } });
    };
    const key = (event: KeyboardEvent) => {
      const done = withModifier(event) || plainKey(event, flow, openPalette);
      if (done) event.preventDefault();
    };
    const paste = (event: ClipboardEvent) => {
      if (isTyping(event.target)) return;
      const at = flow.screenToFlowPosition(place());
      const [file] = event.clipboardData?.files ?? [];
      const text = event.clipboardData?.getData("text/plain") ?? "";
      if (file !== undefined) void openFile(file, at);
      else if (text.trimStart().startsWith("{")) pasteNodesAt(text, at);
      event.preventDefault();
    };
    window.addEventListener("keydown", key);
    window.addEventListener("copy", copy);
    window.addEventListener("cut", copy);
    window.addEventListener("paste", paste);
    return () => {
      window.removeEventListener("copy", copy);
      window.removeEventListener("cut", copy);
      window.removeEventListener("keydown", key);
      window.removeEventListener("paste", paste);
    };
  }, [flow, box]);
  return pointer;
}

/** At once, in the event itself: a paste that follows on its heels finds what was copied. */
function copy(event: ClipboardEvent): void {
  if (isTyping(event.target) || window.getSelection()?.isCollapsed === false) return;
  const text = copiedText();
  if (text === null) return;
  event.clipboardData?.setData("text/plain", text);
  event.preventDefault();
  if (event.type === "cut") removeSelected();
}

let withLinks = false;

function pasteNodesAt(text: string, at: Point): void {
  try {
    pasteText(text, at, withLinks);
  } catch (error) {
    tellError(error instanceof SyntaxError ? new Error("The clipboard holds no nodes.") : error);
  }
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, textarea, .choices") !== null;
}

/** Whether the key was one of ours. */
function withModifier(event: KeyboardEvent): boolean {
  if (!event.ctrlKey && !event.metaKey) return false;
  const { shiftKey, altKey, target } = event;
  if (event.key === "Enter") {
    if (altKey) void interrupt();
    else void run(shiftKey);
    return true;
  }
  const letter = event.key.toLowerCase();
  if (letter === "s") {
    void save(askName, shiftKey);
    return true;
  }
  if (letter === "o") {
    useView.setState(({ workflows }) => ({ workflows: !workflows }));
    return true;
  }
  if (isTyping(target) || useView.getState().palette !== null) return false;
  const doing: Readonly<Record<string, () => void>> = {
    z: shiftKey ? redoEdit : undoEdit,
    y: redoEdit,
    a: selectAll,
    d: duplicateSelected,
    g: groupSelected,
    b: () => toggleMode(MODE.bypassed),
    m: () => toggleMode(MODE.muted),
    delete: () => removeSelected(true),
  };
  if (letter === "v") {
    withLinks = shiftKey;
    return false;
  }
  const nudge = ARROWS[event.key];
  if (nudge !== undefined) {
    nudgeSelected(nudge);
    return true;
  }
  doing[letter]?.();
  return letter in doing;
}

function plainKey(event: KeyboardEvent, flow: Flow, openPalette: () => void): boolean {
  const view = useView.getState();
  if (event.ctrlKey || event.metaKey || isTyping(event.target) || view.palette !== null) {
    return false;
  }
  const letter = event.key.toLowerCase();
  if (event.altKey) {
    if (letter === "c") toggleCollapsed();
    else if (letter === "n") newTab();
    else return false;
    return true;
  }
  const inField = event.target instanceof Element && event.target.closest(".field") !== null;
  if (event.key === "Tab" && !inField) {
    openPalette();
    return true;
  }
  if (event.shiftKey && letter === "a") {
    openPalette();
    return true;
  }
  if (inField) return false;
  const doing: Readonly<Record<string, () => void>> = {
    delete: () => removeSelected(),
    backspace: () => removeSelected(),
    escape: () => {
      if (view.lightbox !== null) useView.setState({ lightbox: null });
      else if (view.shortcuts) useView.setState({ shortcuts: false });
      else select([]);
    },
    ".": () => showAll(flow),
    home: () => showAll(flow),
    w: () => useView.setState({ workflows: !view.workflows }),
    q: () => toggleDock("queue"),
    i: () => useView.setState({ inspector: !view.inspector }),
    r: () => void refreshCatalog().catch(tellError),
    "?": () => useView.setState({ shortcuts: !view.shortcuts }),
  };
  doing[letter]?.();
  return letter in doing;
}

function nudgeSelected(by: Point): void {
  const { graph, selected } = activeTab();
  const moved = selected.flatMap((key) => {
    const from = graph.nodes[key]?.position;
    return from === undefined ? [] : [[key, { x: from.x + by.x, y: from.y + by.y }] as const];
  });
  edit("Move", (draft) => moveNodes(draft, Object.fromEntries(moved)), "nudge");
  window.addEventListener("keyup", endThread, { once: true });
}

export function askName(suggested: string): string | null {
  return window.prompt("Save the workflow as", suggested);
}
