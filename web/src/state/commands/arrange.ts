/** Commands for selecting, aligning, auto-layout, colours, notes and pins. */

import type { Axis, Side } from "../../document/arrange";
import type { Paint } from "../../document/flags";
import { addNote, isNote } from "../../document/notes";
import {
  alignSelected,
  cancelMarquee,
  distributeSelected,
  invertSelection,
  paintSelected,
  selectConnected,
  type Tool,
  togglePinned,
  useArranging,
} from "../editing/arranging";
import { cancelDrag, isDragged } from "../editing/moving";
import { PALETTE } from "../nodes/colours";
import { bodyAt } from "../nodes/shape";
import { canvas } from "../session/canvas";
import type { Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { changeSetting } from "../session/settings";
import { activeTab, edit, select } from "../session/studio";

const some = () => activeTab().selected.length > 0;
const several = () => activeTab().selected.length > 1;

const PAINTING: Readonly<Record<string, string>> = {
  red: "Colour the selected nodes red",
  brown: "Colour the selected nodes brown",
  yellow: "Colour the selected nodes yellow",
  green: "Colour the selected nodes green",
  cyan: "Colour the selected nodes cyan",
  "pale-blue": "Colour the selected nodes pale blue",
  blue: "Colour the selected nodes blue",
  purple: "Colour the selected nodes purple",
  black: "Colour the selected nodes black",
};

export const arrangeCommands: readonly Command[] = [
  {
    id: "select.cancel",
    title: "Cancel the selection that is being drawn",
    group: "Edit",
    keys: ["Escape"],
    enabled: () => useArranging.getState().marquee !== null,
    run: () => cancelMarquee(activeEditor()),
  },
  {
    id: "drag.cancel",
    title: "Cancel the drag",
    group: "Edit",
    keys: ["Escape"],
    enabled: isDragged,
    run: () => cancelDrag(activeEditor()),
  },
  {
    id: "select.invert",
    title: "Invert the selection",
    group: "Edit",
    keys: ["Ctrl+I"],
    run: () => invertSelection(activeEditor()),
  },
  connected("upstream", "Select all nodes upstream of the selection", "["),
  connected("downstream", "Select all nodes downstream of the selection", "]"),
  connected("both", "Select all nodes connected to the selection", "\\"),
  tool("select", "Select tool", "V"),
  tool("lasso", "Lasso tool", "Shift+V"),
  tool("hand", "Hand tool", "H"),
  {
    id: "arrange.tidy",
    title: "Tidy the selected nodes",
    group: "Graph",
    keys: ["L"],
    enabled: several,
    run: () => tidy(activeTab().selected),
  },
  {
    id: "arrange.tidyAll",
    title: "Tidy the whole graph",
    group: "Graph",
    keys: ["Shift+L"],
    enabled: () => activeTab().graph.order.length > 1,
    run: () => tidy(activeTab().graph.order),
  },
  align("left", "Align left edges", "Alt+Shift+ArrowLeft"),
  align("centre", "Align centres in a column", "Alt+H"),
  align("right", "Align right edges", "Alt+Shift+ArrowRight"),
  align("top", "Align top edges", "Alt+Shift+ArrowUp"),
  align("middle", "Align centres in a row", "Alt+V"),
  align("bottom", "Align bottom edges", "Alt+Shift+ArrowDown"),
  distribute("x", "Distribute in a row", "Alt+Shift+H"),
  distribute("y", "Distribute in a column", "Alt+Shift+V"),
  {
    id: "node.pin",
    title: "Pin or unpin the selected nodes",
    group: "Node",
    keys: ["P"],
    enabled: some,
    run: () => togglePinned(activeEditor()),
  },
  paint("none", "Remove the colour of the selected nodes", null),
  ...PALETTE.map(({ id, color, bgcolor }) => paint(id, PAINTING[id] ?? id, { color, bgcolor })),
  {
    id: "graph.note",
    title: "Add a note",
    group: "Graph",
    keys: ["Shift+N"],
    run: noteAtPointer,
  },
  {
    id: "note.edit",
    title: "Edit the selected note",
    group: "Node",
    keys: ["Enter"],
    enabled: () => selectedNote() !== undefined,
    run: () => useArranging.setState({ writing: selectedNote() ?? null }),
  },
];

/** Loaded on first use, as it is large and seldom used. */
async function tidy(keys: readonly string[]): Promise<void> {
  const editor = activeEditor();
  const tidying = await import("../editing/autoLayout");
  await tidying.layOutNodes(editor, keys);
}

function connected(way: "upstream" | "downstream" | "both", title: string, key: string): Command {
  const run = () => selectConnected(activeEditor(), way);
  return { id: `select.${way}`, title, group: "Edit", keys: [key], enabled: some, run };
}

function tool(tool: Tool, title: string, key: string): Command {
  const run = () => changeSetting("calotype.drag", tool);
  return { id: `tool.${tool}`, title, group: "View", keys: [key], run };
}

function align(side: Side, title: string, key: string): Command {
  const run = () => alignSelected(activeEditor(), side);
  return { id: `arrange.${side}`, title, group: "Graph", keys: [key], enabled: several, run };
}

function distribute(axis: Axis, title: string, key: string): Command {
  return {
    id: axis === "x" ? "arrange.distributeRow" : "arrange.distributeColumn",
    title,
    group: "Graph",
    keys: [key],
    enabled: () => activeTab().selected.length > 2,
    run: () => distributeSelected(activeEditor(), axis),
  };
}

function paint(id: string, title: string, colours: Paint | null): Command {
  const run = () => paintSelected(activeEditor(), colours);
  return { id: `colour.${id}`, title, group: "Node", enabled: some, run };
}

function selectedNote(): string | undefined {
  const { graph, selected } = activeTab();
  const node = selected.length === 1 ? graph.nodes[selected[0] ?? ""] : undefined;
  return node !== undefined && isNote(node) ? node.key : undefined;
}

const NOTE_SIZE = { width: 280, height: 160 };

function noteAtPointer(): void {
  const handle = canvas();
  const corner = handle?.toGraph(handle.pointer()) ?? { x: 0, y: 0 };
  let key = "";
  edit(activeEditor(), "Add a note", (draft) => {
    key = addNote(draft, bodyAt(corner), NOTE_SIZE);
  });
  select(activeEditor(), [key]);
  useArranging.setState({ writing: key });
}
