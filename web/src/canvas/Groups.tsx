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
import { beginDrag, cancelDrag, gridStep, isDragOver } from "../state/editing/moving";
import { frameMover } from "../state/editing/movingFrames";
import { useRenaming } from "../state/editing/renaming";
import { frameColour } from "../state/nodes/colours";
import { foldingOf } from "../state/nodes/folding";
import { GRID } from "../state/nodes/shape";
import { useEditor, useGesture, useTab } from "../state/session/editor";
import { edit, endThread } from "../state/session/studio";
import { usePointerDrag } from "../widgets/pointerDrag";
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

interface FrameDrag {
  /** False: no drag. */
  press?: (event: PointerEvent<HTMLElement>) => boolean;
  step: (by: Point) => void;
  click?: () => void;
}

/** The handler of a drag in steps from its start; the whole drag is one undo step. */
function useFrameDrag({ press, step, click }: FrameDrag) {
  const editor = useEditor();
  const flow = useReactFlow();
  const at = (event: { clientX: number; clientY: number }) =>
    flow.screenToFlowPosition({ x: event.clientX, y: event.clientY }, { snapToGrid: false });
  const over = () => useArranging.setState({ dragging: false });
  return usePointerDrag<Point, HTMLElement>({
    begin: (event) => {
      if (press?.(event) === false) return null;
      event.stopPropagation();
      beginDrag(editor);
      return at(event);
    },
    isBegun: ({ x, y }) => Math.hypot(x, y) >= (GRID / 2) * flow.getZoom(),
    move: (start, event) => {
      if (isDragOver()) return;
      const now = at(event);
      useArranging.setState({ dragging: true });
      step({ x: now.x - start.x, y: now.y - start.y });
    },
    end: () => {
      endThread(editor);
      over();
    },
    cancel: () => {
      cancelDrag(editor);
      over();
    },
    click: () => click?.(),
  });
}

/** Handlers that move a frame with the nodes it held when the drag began. */
export function useFrameMove(key: string) {
  const editor = useEditor();
  const move = useRef(frameMover(editor, key));
  const handlers = useFrameDrag({
    press: (event) => {
      if (isControl(event.target)) return false;
      move.current = frameMover(editor, key);
      return true;
    },
    step: (by) => move.current(by),
    click: () => selectFrame(editor, key),
  });
  return {
    ...handlers,
    onMouseDown: (event: MouseEvent<HTMLElement>) => {
      // A press moves the frame; only the keyboard and a double click focus its title.
      if (isControl(event.target)) return;
      event.preventDefault();
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    },
    onDoubleClick: (event: MouseEvent<HTMLElement>) => {
      // The title is read-only, and its own double click would select nothing.
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
  const handlers = useFrameDrag({
    press: () => {
      from.current = null;
      return true;
    },
    step: (by) => {
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
    },
  });
  return <div className="frame-corner" {...handlers} />;
}
