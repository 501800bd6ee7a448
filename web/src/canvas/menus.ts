/** The menus of the canvas: commands by name, as in the command table. */

import { create } from "zustand";
import { frameOf, frameState } from "../document/frames";
import { MODE, type Point } from "../document/graph";
import { keysOf, shownKey } from "../state/commands/keymap";
import { paintSelected } from "../state/editing/arranging";
import { currentFrame, paintFrame, setCurrentFrame } from "../state/editing/framing";
import { colourName, PALETTE } from "../state/nodes/colours";
import { commandOf, isEnabled, runCommand } from "../state/session/commandRegistry";
import type { Editor } from "../state/session/editor";
import { select } from "../state/session/studio";
import type { MenuItem } from "../widgets/Menu";
import { t } from "../words/words";

export type Target =
  | { kind: "node"; key: string }
  | { kind: "frame"; key: string }
  | { kind: "canvas" }
  | { kind: "align" }
  | { kind: "colour" }
  | { kind: "more" };

interface OpenedMenu {
  target: Target;
  /** In screen coordinates. */
  at: Point;
}

export const useMenu = create<{ opened: OpenedMenu | null }>(() => ({ opened: null }));

/** Opens the menu of a target, which is selected first. */
export function openMenu(editor: Editor, target: Target, at: Point): void {
  if (target.kind === "node" && !editor.tab.selected.includes(target.key)) {
    select(editor, [target.key]);
  }
  if (target.kind === "frame") setCurrentFrame(target.key);
  useMenu.setState({ opened: { target, at } });
}

export function closeMenu(): void {
  useMenu.setState({ opened: null });
}

type MenuPlan = readonly (string | "line" | { title: string; plan: MenuPlan } | "colours")[];

const ALIGN: MenuPlan = [
  "arrange.left",
  "arrange.centre",
  "arrange.right",
  "line",
  "arrange.top",
  "arrange.middle",
  "arrange.bottom",
  "line",
  "arrange.distributeRow",
  "arrange.distributeColumn",
  "line",
  "arrange.tidy",
];
const SELECT: MenuPlan = [
  "edit.selectAll",
  "select.invert",
  "line",
  "select.upstream",
  "select.downstream",
  "select.both",
];
const NODE: MenuPlan = [
  "note.edit",
  "run.selected",
  "node.rename",
  "help.node",
  "line",
  "node.bypass",
  "node.mute",
  "node.collapse",
  "node.pin",
  "colours",
  "line",
  "node.replace",
  "node.recreate",
  "node.swapInputs",
  "node.pullOut",
  "line",
  "graph.group",
  "frame.addSelected",
  "subgraph.make",
  { title: "Align and distribute", plan: ALIGN },
  { title: "Select", plan: SELECT },
  "line",
  "edit.copy",
  "edit.duplicate",
  "edit.delete",
  "edit.deleteAndHeal",
];
const PLANS: Readonly<Record<Target["kind"], MenuPlan>> = {
  node: NODE,
  more: NODE,
  align: ALIGN,
  colour: [],
  frame: [
    "frame.collapse",
    "frame.bypass",
    "frame.mute",
    "colours",
    "line",
    "frame.fit",
    "frame.addSelected",
    "frame.select",
    "line",
    "frame.dissolve",
    "frame.delete",
  ],
  canvas: [
    "graph.add",
    "graph.note",
    "frame.add",
    "file.templates",
    "line",
    "edit.paste",
    { title: "Select", plan: SELECT },
    "arrange.tidyAll",
    "view.fit",
    "line",
    "edit.undo",
    "edit.redo",
  ],
};

export function itemsOf(editor: Editor, target: Target): MenuItem[] {
  if (target.kind === "colour") return colours(editor, target);
  return tidyLines(PLANS[target.kind].flatMap((each) => itemOf(editor, each, target)));
}

function itemOf(editor: Editor, planned: MenuPlan[number], target: Target): MenuItem[] {
  if (planned === "line") return ["line"];
  if (planned === "colours") return [{ label: t("Colour"), entries: colours(editor, target) }];
  if (typeof planned === "object") {
    const entries = tidyLines(planned.plan.flatMap((each) => itemOf(editor, each, target)));
    return entries.length === 0 ? [] : [{ label: t(planned.title), entries }];
  }
  const command = commandOf(planned);
  if (command === undefined) return [];
  const [key] = keysOf(command);
  const enabled = isEnabled(command);
  if (!enabled && HIDDEN_WHEN_DISABLED.has(planned)) return [];
  return [
    {
      label: t(SHORT[planned] ?? command.title),
      ...(key === undefined ? {} : { keys: shownKey(key) }),
      ...(enabled ? {} : { disabled: true }),
      ...checked(editor, planned),
      run: () => runCommand(planned),
    },
  ];
}

/** In a menu of the selection, its entries do not repeat what they act on. */
const SHORT: Readonly<Record<string, string>> = {
  "run.selected": "Run to here",
  "node.rename": "Rename",
  "help.node": "Help",
  "node.bypass": "Bypass",
  "node.mute": "Mute",
  "node.collapse": "Collapse",
  "node.pin": "Pin",
  "node.replace": "Replace with…",
  "node.recreate": "Recreate",
  "node.swapInputs": "Swap inputs",
  "node.pullOut": "Pull out of the wires",
  "graph.group": "Group",
  "frame.addSelected": "Add to the group",
  "subgraph.make": "Make a subgraph",
  "edit.copy": "Copy",
  "edit.paste": "Paste",
  "edit.duplicate": "Duplicate",
  "edit.delete": "Delete",
  "edit.deleteAndHeal": "Delete and reconnect",
  "file.templates": "Templates",
};

/** These apply to few nodes only: they are left out instead of greyed where they do nothing. */
const HIDDEN_WHEN_DISABLED = new Set([
  "note.edit",
  "frame.addSelected",
  "node.swapInputs",
  "node.pullOut",
]);

function checked(editor: Editor, id: string): { checked?: boolean } {
  const group = currentFrame(editor);
  if (group === undefined || !id.startsWith("frame.")) return {};
  const { collapsed, mode } = frameState(group);
  if (id === "frame.collapse") return { checked: collapsed };
  if (id === "frame.bypass") return { checked: mode === MODE.bypassed };
  if (id === "frame.mute") return { checked: mode === MODE.muted };
  return {};
}

/** Removes separators at the start and the end, and repeated ones. */
function tidyLines(items: MenuItem[]): MenuItem[] {
  return items.filter((item, index) => {
    if (item !== "line") return true;
    return items[index - 1] !== "line" && index > 0 && index < items.length - 1;
  });
}

function colours(editor: Editor, target: Target): MenuItem[] {
  const { graph, selected } = editor.tab;
  const frame = target.kind === "frame" ? frameOf(graph, target.key) : undefined;
  const now = frame === undefined ? (graph.nodes[selected[0] ?? ""]?.color ?? null) : frame.color;
  const name = frame === undefined ? colourName(now) : now;
  return [
    {
      label: t("No colour"),
      checked: now === null,
      run: () =>
        frame === undefined ? paintSelected(editor, null) : paintFrame(editor, frame.key, null),
    },
    ...PALETTE.map((each) => ({
      label: t(each.title),
      colour: frame === undefined ? `var(--paint-${each.id})` : each.frame,
      checked: frame === undefined ? name === each.id : name === each.frame,
      run: () =>
        frame === undefined
          ? paintSelected(editor, { color: each.color, bgcolor: each.bgcolor })
          : paintFrame(editor, frame.key, each.frame),
    })),
    { label: t("Another colour…"), run: () => askColour(frame?.key ?? null) },
  ];
}

/** A request to open the browser's colour picker, which is in the bar above the selection. */
export const useColourRequest = create<{ frame: string | null; asked: number }>(() => ({
  frame: null,
  asked: 0,
}));

function askColour(frame: string | null): void {
  useColourRequest.setState(({ asked }) => ({ frame, asked: asked + 1 }));
}
