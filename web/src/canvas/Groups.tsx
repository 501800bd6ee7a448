/**
 * Frames behind nodes: the box behind the wires, its title above them. Moving a frame moves the
 * nodes in it; a folded frame is drawn as one box.
 */

import { EdgeLabelRenderer, useReactFlow, useStore, ViewportPortal } from "@xyflow/react";
import { ChevronDown, EllipsisVertical, type LucideIcon } from "lucide-react";
import {
  type CSSProperties,
  type MouseEvent,
  memo,
  type PointerEvent,
  useEffect,
  useRef,
  useState,
} from "react";
import { frameBox, frameOf, frameState, placeFrame } from "../document/frames";
import { type Group, MODE, type Point } from "../document/graph";
import { useArranging } from "../state/editing/arranging";
import {
  renameFrame,
  selectFrame,
  setCurrentFrame,
  setFrameMode,
  toggleFrameCollapsed,
} from "../state/editing/framing";
import { beginDrag, gridStep, isDragOver } from "../state/editing/moving";
import { frameMover } from "../state/editing/movingFrames";
import { useRenaming } from "../state/editing/renaming";
import { frameColour } from "../state/nodes/colours";
import { foldingOf } from "../state/nodes/folding";
import { GRID } from "../state/nodes/shape";
import { useEditor, useGesture, useTab } from "../state/session/editor";
import { edit, endThread } from "../state/session/studio";
import { BypassSign, MuteSign } from "../widgets/signs";
import { t } from "../words/words";
import { openMenu } from "./menus";

export function Groups() {
  const groups = useTab((tab) => tab.graph.groups);
  const { folds, hiddenFrames } = useTab((tab) => foldingOf(tab.graph));
  const scale = useTitleScale();
  const folded = new Set(folds.map((each) => each.group.key));
  return groups.map((each) =>
    folded.has(each.key) || hiddenFrames.has(each.key) ? null : (
      <Frame key={each.key} group={each} scale={scale} />
    ),
  );
}

const MAX_SCALE = 8;
const FAR_SCALE = 2.5;

/**
 * The scale of titles, which grow as the view zooms out. In steps, so that zooming does not render
 * every frame again.
 */
function useTitleScale(): number {
  return useStore((state) => {
    const steps = Math.round(Math.log2(1 / state.transform[2]) * 2) / 2;
    return Math.min(MAX_SCALE, 2 ** Math.max(0, steps));
  });
}

/** Handlers of a drag: `onStep` runs for each step; the whole drag is one undo step. */
function useFrameDrag(onStep: (by: Point) => void, onClick?: () => void) {
  const editor = useEditor();
  const flow = useReactFlow();
  const start = useRef<{ at: Point; moved: boolean } | null>(null);
  const at = (event: PointerEvent) =>
    flow.screenToFlowPosition({ x: event.clientX, y: event.clientY }, { snapToGrid: false });
  return {
    press: (event: PointerEvent<HTMLElement>) => {
      event.stopPropagation();
      event.currentTarget.setPointerCapture(event.pointerId);
      beginDrag(editor);
      start.current = { at: at(event), moved: false };
    },
    drag: (event: PointerEvent) => {
      const drag = start.current;
      if (drag === null || isDragOver()) return;
      const now = at(event);
      const by = { x: now.x - drag.at.x, y: now.y - drag.at.y };
      if (!drag.moved && Math.hypot(by.x, by.y) < GRID / 2) return;
      drag.moved = true;
      useArranging.setState({ dragging: true });
      onStep(by);
    },
    release: () => {
      if (start.current === null) return;
      if (start.current.moved) endThread(editor);
      else onClick?.();
      start.current = null;
      useArranging.setState({ dragging: false });
    },
  };
}

/** Handlers that move a frame with the nodes it held when the drag began. */
export function useFrameMove(key: string) {
  const editor = useEditor();
  const move = useRef(frameMover(editor, key));
  const { press, drag, release } = useFrameDrag(
    (by) => move.current(by),
    () => selectFrame(editor, key),
  );
  return {
    onPointerDown: (event: PointerEvent<HTMLElement>) => {
      if (event.button !== 0 || isControl(event.target)) return;
      move.current = frameMover(editor, key);
      press(event);
    },
    onMouseDown: (event: MouseEvent<HTMLElement>) => {
      // A press moves the frame; only the keyboard and a double click focus its title.
      if (isControl(event.target)) return;
      event.preventDefault();
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    },
    onPointerMove: drag,
    onPointerUp: release,
    onPointerCancel: release,
    onDoubleClick: (event: MouseEvent<HTMLElement>) => {
      // The header has captured the pointer, so the title gets no double click of its own.
      const canvas = event.currentTarget.closest(".canvas");
      const frame = canvas?.querySelector(`:not(.frame-box)[data-frame="${key}"]`);
      const input = frame?.querySelector("input");
      if (!input || isControl(event.target)) return;
      event.stopPropagation();
      input.readOnly = false;
      input.focus();
      input.select();
    },
  };
}

function isControl(target: EventTarget): boolean {
  return target instanceof Element && target.closest("button, input:read-write") !== null;
}

const Frame = memo(function Frame({ group, scale }: { group: Group; scale: number }) {
  const isSelected = useGesture(useArranging, (state) => state.frame === group.key, false);
  const receiving = useGesture(useArranging, (state) => state.receiving === group.key, false);
  const moving = useFrameMove(group.key);
  const { position, size, title } = group;
  const { mode } = frameState(group);
  const [pointed, setPointed] = useState(false);
  const onHeader = {
    ...moving,
    onPointerEnter: () => setPointed(true),
    onPointerLeave: () => setPointed(false),
  };
  const classes = [
    isSelected ? "in-hand" : "",
    receiving ? "receiving" : "",
    mode === null ? "" : "off",
    pointed ? "pointed" : "",
    scale > FAR_SCALE ? "far" : "",
  ]
    .filter(Boolean)
    .join(" ");
  const colour = frameColour(group.color);
  const style = {
    transform: `translate(${position.x}px, ${position.y}px)`,
    width: size.width,
    height: size.height,
    "--scale": scale,
    ...(colour === undefined ? {} : { "--frame": colour }),
  } as CSSProperties;
  return (
    <>
      <ViewportPortal>
        <div className={`frame-box nopan ${classes}`} style={style} data-frame={group.key}>
          <div className="frame-strip" {...onHeader} />
        </div>
      </ViewportPortal>
      <EdgeLabelRenderer>
        <section
          className={`frame nopan ${classes}`}
          style={style}
          aria-label={title}
          data-frame={group.key}
        >
          <header {...onHeader}>
            <FrameTitle group={group} />
            <FrameTools group={group} />
          </header>
          <Corner group={group} />
        </section>
      </EdgeLabelRenderer>
    </>
  );
});

export function FrameTitle({ group }: { group: Group }) {
  const editor = useEditor();
  const { key, title } = group;
  const input = useRef<HTMLInputElement>(null);
  const isNamed = useGesture(useRenaming, (state) => state.frame === key, false);
  useEffect(() => {
    if (!isNamed || input.current === null) return;
    input.current.readOnly = false;
    input.current.focus();
    input.current.select();
    useRenaming.setState({ frame: null });
  }, [isNamed]);
  /** The keys go on where they were before the title was typed. */
  const leave = () => {
    input.current?.blur();
    input.current?.closest<HTMLElement>(".canvas")?.focus();
  };
  return (
    <input
      ref={input}
      aria-label={t("Title of the group")}
      key={title}
      defaultValue={title}
      size={Math.max(title.length, 4)}
      readOnly
      onFocus={() => setCurrentFrame(key)}
      onKeyDown={(event) => {
        const field = event.currentTarget;
        if (event.key === "Enter" && field.readOnly) {
          field.readOnly = false;
          field.select();
        } else if (event.key === "Enter") leave();
        else if (event.key === "Escape") {
          field.value = title;
          leave();
        }
      }}
      onBlur={(event) => {
        event.currentTarget.readOnly = true;
        const text = event.currentTarget.value;
        if (text !== title) renameFrame(editor, key, text);
      }}
    />
  );
}

export function FrameTools({ group, folded = false }: { group: Group; folded?: boolean }) {
  const editor = useEditor();
  const { mode } = frameState(group);
  const { key } = group;
  return (
    <span className="frame-tools">
      <Tool
        icon={BypassSign}
        label={t("Bypass the group")}
        pressed={mode === MODE.bypassed}
        act={() => setFrameMode(editor, key, MODE.bypassed, "Bypass the group")}
      />
      <Tool
        icon={MuteSign}
        label={t("Mute the group")}
        pressed={mode === MODE.muted}
        act={() => setFrameMode(editor, key, MODE.muted, "Mute the group")}
      />
      <Tool
        icon={ChevronDown}
        label={folded ? t("Unfold the group") : t("Fold the group")}
        pressed={folded}
        act={() => toggleFrameCollapsed(editor, key)}
      />
      <button
        type="button"
        aria-label={t("More group commands")}
        aria-haspopup="menu"
        onClick={(event) => {
          const { left, bottom } = event.currentTarget.getBoundingClientRect();
          openMenu(editor, { kind: "frame", key }, { x: left, y: bottom + 4 });
        }}
      >
        <EllipsisVertical aria-hidden />
      </button>
    </span>
  );
}

interface ToolProps {
  icon: LucideIcon;
  label: string;
  pressed: boolean;
  act: () => void;
}

function Tool({ icon: Icon, label, pressed, act }: ToolProps) {
  return (
    <button type="button" aria-label={label} data-tip={label} aria-pressed={pressed} onClick={act}>
      <Icon aria-hidden />
    </button>
  );
}

const MIN_SIZE = { width: 120, height: 80 };

function Corner({ group: { key } }: { group: Group }) {
  const editor = useEditor();
  const from = useRef<{ width: number; height: number } | null>(null);
  const { press, drag, release } = useFrameDrag((by) => {
    const group = frameOf(editor.graph, key);
    if (group === undefined) return;
    from.current ??= group.size;
    const { x: width, y: height } = gridStep({
      x: Math.max(MIN_SIZE.width, from.current.width + by.x),
      y: Math.max(MIN_SIZE.height, from.current.height + by.y),
    });
    edit(
      editor,
      "Resize the group",
      (draft) => placeFrame(draft, key, { ...frameBox(group), width, height }),
      `size ${key}`,
    );
  });
  return (
    <div
      className="frame-corner"
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        from.current = null;
        press(event);
      }}
      onPointerMove={drag}
      onPointerUp={release}
      onPointerCancel={release}
    />
  );
}
