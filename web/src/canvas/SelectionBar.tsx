/** A small bar above the selection, with the most frequent commands. */

import { useStoreApi } from "@xyflow/react";
import {
  AlignHorizontalJustifyStart,
  Ellipsis,
  Group,
  type LucideIcon,
  Network,
  Palette,
  Trash2,
} from "lucide-react";
import { type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Box } from "../document/arrange";
import { isPinned } from "../document/flags";
import { FRAME_TITLE, frameBox } from "../document/frames";
import { type Graph, MODE } from "../document/graph";
import { withKey } from "../state/commands/keymap";
import { selectedBox, useArranging } from "../state/editing/arranging";
import { boxesOf } from "../state/editing/boxes";
import { commandOf, isEnabled, runCommand } from "../state/session/commandRegistry";
import { useEditor, useGesture, useTab } from "../state/session/editor";
import { useSetting } from "../state/session/settings";
import { BypassSign, CollapseSign, MuteSign, PinSign } from "../widgets/signs";
import { t } from "../words/words";
import { barPlace } from "./barPlace";
import { RUN_BAR } from "./fitting";
import { openMenu, type Target, useMenu } from "./menus";

export function SelectionBar() {
  const selected = useTab((tab) => tab.selected);
  const busy = useArranging(({ marquee, dragging }) => marquee !== null || dragging);
  const wanted = useSetting("calotype.selectionBar");
  const started = useStarted();
  const graph = useTab((tab) => (busy || selected.length === 0 ? null : tab.graph));
  const editor = useEditor();
  const isFocused = useGesture(useArranging, () => true, false);
  if (graph === null || busy || !wanted || !started || !isFocused) return null;
  const box = selectedBox(editor, selected);
  if (box === null) return null;
  const boxes = boxesOf(editor);
  const chosen = new Set(selected);
  const [inside, outside] = [true, false].map((is) =>
    [...boxes].flatMap(([key, each]) => (chosen.has(key) === is ? [each] : [])),
  );
  return <Bar box={overTitles(box, graph)} selected={inside ?? []} others={outside ?? []} />;
}

let hasStarted = false;

/**
 * Whether the user has pressed anything yet. Until then nothing covers the graph: the prompt is
 * selected from the start.
 */
function useStarted(): boolean {
  const [started, setStarted] = useState(hasStarted);
  useEffect(() => {
    if (started) return;
    const listening = new AbortController();
    const start = () => {
      hasStarted = true;
      setStarted(true);
    };
    for (const each of ["pointerdown", "keydown"] as const) {
      window.addEventListener(each, start, { capture: true, signal: listening.signal });
    }
    return () => listening.abort();
  }, [started]);
  return started;
}

/**
 * Extends the box over the titles of frames right above it, so that the bar does not cover them.
 */
function overTitles(box: Box, { groups }: Graph): Box {
  const frames = groups.map(frameBox).sort((one, other) => other.y - one.y);
  let { y } = box;
  for (const frame of frames) {
    const beside = frame.x > box.x + box.width || frame.x + frame.width < box.x;
    if (!beside && frame.y < y && frame.y + 2 * FRAME_TITLE > y) y = frame.y;
  }
  return { ...box, y, height: box.height + box.y - y };
}

interface BarProps {
  /** In graph coordinates, as all boxes here. */
  box: Box;
  selected: readonly Box[];
  others: readonly Box[];
}

/**
 * The bar beside the box. It follows the view by direct changes of its style, without rendering
 * again.
 */
function Bar({ box, selected, others }: BarProps) {
  const bar = useRef<HTMLDivElement>(null);
  const store = useStoreApi();
  useLayoutEffect(() => {
    const place = () => {
      const element = bar.current;
      if (element === null) return;
      const {
        transform: [x, y, zoom],
        width,
        height,
      } = store.getState();
      const drawn = (each: Box): Box => ({
        x: each.x * zoom + x,
        y: each.y * zoom + y,
        width: each.width * zoom,
        height: each.height * zoom,
      });
      const at = barPlace({
        bar: { width: element.offsetWidth, height: element.offsetHeight },
        room: { width, height: height - RUN_BAR },
        selection: drawn(box),
        selected: selected.map(drawn),
        others: others.map(drawn),
      });
      element.style.visibility = at === null ? "hidden" : "visible";
      if (at === null) return;
      element.style.transform = `translate(${Math.round(at.x)}px, ${Math.round(at.y)}px)`;
    };
    place();
    return store.subscribe(place);
  }, [box, selected, others, store]);
  return (
    <div
      ref={bar}
      role="toolbar"
      aria-label={t("Selected nodes")}
      className="selection-bar"
      onKeyDown={walk}
    >
      <Tools />
    </div>
  );
}

/** Left and Right move the focus from button to button, as in any toolbar. */
function walk(event: KeyboardEvent<HTMLElement>): void {
  const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  if (step === 0) return;
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  const index = buttons.findIndex((each) => each.matches(":focus"));
  buttons[(index + step + buttons.length) % buttons.length]?.focus();
  event.preventDefault();
  event.stopPropagation();
}

function Tools() {
  const selected = useTab((tab) => tab.selected);
  const graph = useTab((tab) => tab.graph);
  const nodes = selected.flatMap((key) => graph.nodes[key] ?? []);
  const every = (holds: (node: (typeof nodes)[number]) => boolean) => nodes.every(holds);
  const several = selected.length > 1;
  return (
    <>
      {several && <span className="selection-count">{selected.length}</span>}
      <Tool
        command="node.bypass"
        label={t("Bypass")}
        icon={BypassSign}
        pressed={every((each) => each.mode === MODE.bypassed)}
      />
      <Tool
        command="node.mute"
        label={t("Mute")}
        icon={MuteSign}
        pressed={every((each) => each.mode === MODE.muted)}
      />
      <Tool
        command="node.collapse"
        label={t("Collapse")}
        icon={CollapseSign}
        pressed={every((each) => each.collapsed)}
      />
      <Tool command="node.pin" label={t("Pin")} icon={PinSign} pressed={every(isPinned)} />
      <Opener target={{ kind: "colour" }} label={t("Colour")} icon={Palette} />
      <hr />
      <Tool command="graph.group" label={t("Group")} icon={Group} />
      {several && (
        <Opener
          target={{ kind: "align" }}
          label={t("Align and distribute")}
          icon={AlignHorizontalJustifyStart}
        />
      )}
      {several && <Tool command="arrange.tidy" label={t("Tidy")} icon={Network} />}
      <hr />
      <Tool command="edit.delete" label={t("Delete")} icon={Trash2} />
      <Opener target={{ kind: "more" }} label={t("More")} icon={Ellipsis} />
    </>
  );
}

interface ToolProps {
  command: string;
  label: string;
  icon: LucideIcon;
  pressed?: boolean;
}

function Tool({ command: id, label, icon: Icon, pressed }: ToolProps) {
  const command = commandOf(id);
  if (command === undefined) return null;
  return (
    <button
      type="button"
      aria-label={label}
      aria-pressed={pressed}
      disabled={!isEnabled(command)}
      data-tip={withKey(label, id)}
      onClick={() => runCommand(id)}
    >
      <Icon size={16} aria-hidden />
    </button>
  );
}

function Opener({
  target,
  label,
  icon: Icon,
}: {
  target: Target;
  label: string;
  icon: LucideIcon;
}) {
  const editor = useEditor();
  const open = useMenu((state) => state.opened?.target.kind === target.kind);
  return (
    <button
      type="button"
      aria-label={label}
      aria-haspopup="menu"
      aria-expanded={open}
      data-tip={label}
      onClick={(event) => {
        const { left, bottom } = event.currentTarget.getBoundingClientRect();
        openMenu(editor, target, { x: left, y: bottom + 6 });
      }}
    >
      <Icon size={16} aria-hidden />
    </button>
  );
}
