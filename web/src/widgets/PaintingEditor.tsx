/** The canvas of a painting, with its tools. What was painted is handed on when it closes. */
import { Eraser, Paintbrush, Redo2, Trash2, Undo2 } from "lucide-react";
import { type KeyboardEvent, useEffect, useReducer, useRef, useState } from "react";
import { t } from "../words/words";
import { type Brush, Painting } from "./painting";
import { usePointerDrag } from "./pointerDrag";
import { useFieldServices } from "./services";
import "./painting.css";

interface Size {
  width: number;
  height: number;
}

interface Props {
  /** The address of the painting so far. */
  painted: string | null;
  picture: string | null;
  /** Of the canvas where there is no picture. */
  size: Size;
  background: string;
  /** Null: everything was cleared. */
  onPainted: (file: File | null) => void;
  onClose: () => void;
}

/** The largest part of the window that the canvas takes. */
const SHARE = 0.66;
const LARGEST = 512;

export function PaintingEditor(props: Props) {
  const { picture, background, onClose } = props;
  const [brush, setBrush] = useState<Brush>({
    tool: "brush",
    colour: "#ffffff",
    size: 32,
    opacity: 1,
    hardness: 0.8,
  });
  const { canvas, sheet, painting, extent, draw } = usePainting(props);
  const change = (changed: Partial<Brush>) => setBrush({ ...brush, ...changed });
  const scale = Math.min(
    1,
    (window.innerWidth * SHARE) / extent.width,
    (window.innerHeight * SHARE) / extent.height,
  );
  const act = (step: (painting: Painting) => void) => {
    if (painting.current !== null) step(painting.current);
    draw();
  };
  const keys = useKeys(brush, change, act, extent);
  const handlers = usePointerDrag<Brush, HTMLDivElement>({
    begin: (event) => {
      act((each) => each.begin(placeOf(event, event.currentTarget, extent), brush));
      return brush;
    },
    move: (held, event, canvas) => painting.current?.move(placeOf(event, canvas, extent), held),
    end: () => act((each) => each.end()),
    cancel: () => act((each) => each.cancel()),
  });
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys of the canvas also work on its tools
    <div className="painting" onKeyDown={keys}>
      <Tools brush={brush} change={change} painting={painting.current} act={act} />
      <div
        ref={sheet}
        className="painting-sheet"
        style={{ width: extent.width * scale, height: extent.height * scale, background }}
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: painting by keyboard needs the focus here
        tabIndex={0}
        aria-label={t(
          "The painting. Arrow keys move the brush, and paint with Shift; brackets change its size.",
        )}
        {...handlers}
      >
        {picture !== null && <img src={picture} alt="" draggable={false} />}
        <canvas ref={canvas} />
      </div>
      <footer>
        <span className="size">
          {t("{{width}} x {{height}} pixels", { width: extent.width, height: extent.height })}
        </span>
        <button type="button" className="primary" onClick={onClose}>
          {t("Done")}
        </button>
      </footer>
    </div>
  );
}

/** Where on the canvas, in its pixels, a pointer is. */
function placeOf(event: { clientX: number; clientY: number }, canvas: Element, extent: Size) {
  const box = canvas.getBoundingClientRect();
  return {
    x: ((event.clientX - box.left) / box.width) * extent.width,
    y: ((event.clientY - box.top) / box.height) * extent.height,
  };
}

/** The painting of a canvas: read when it opens, handed on as a file when it closes. */
function usePainting({ painted, picture, size, onPainted }: Props) {
  const { complain } = useFieldServices();
  const canvas = useRef<HTMLCanvasElement>(null);
  const sheet = useRef<HTMLDivElement>(null);
  const painting = useRef<Painting | null>(null);
  const [natural, setNatural] = useState<Size | null>(null);
  const [, draw] = useReducer((count: number) => count + 1, 0);
  const latest = useRef(onPainted);
  useEffect(() => {
    latest.current = onPainted;
  });
  // Read once: what is painted while it is open is not loaded again.
  const [first] = useState({ painted, picture, size });
  useEffect(() => {
    const { current } = canvas;
    let made: Painting | null = null;
    let ended = false;
    const begin = async () => {
      const under = first.picture === null ? null : await imageAt(first.picture);
      const before = first.painted === null ? null : await imageAt(first.painted);
      if (ended || current === null) return;
      const extent =
        under === null ? first.size : { width: under.naturalWidth, height: under.naturalHeight };
      current.width = extent.width;
      current.height = extent.height;
      made = new Painting(current);
      if (before !== null) made.load(before);
      painting.current = made;
      setNatural(extent);
      sheet.current?.focus();
    };
    begin().catch(complain);
    return () => {
      ended = true;
      painting.current = null;
      made?.end();
      if (made?.canUndo === true) void handOn(made, latest.current).catch(complain);
    };
  }, [first, complain]);
  return { canvas, sheet, painting, extent: natural ?? first.size, draw };
}

async function handOn(painting: Painting, onPainted: Props["onPainted"]): Promise<void> {
  if (painting.isEmpty()) {
    onPainted(null);
    return;
  }
  const blob = await new Promise<Blob | null>((done) => painting.canvas.toBlob(done));
  if (blob === null) throw new Error(t("This browser made no PNG of the painting."));
  onPainted(new File([blob], `painter-${Date.now()}.png`, { type: "image/png" }));
}

async function imageAt(url: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch (error) {
    throw new Error(t("The image cannot be read. It may have been moved or deleted."), {
      cause: error,
    });
  }
  return image;
}

type Act = (step: (painting: Painting) => void) => void;

/** Painting by keyboard: the brush is moved by arrows, and paints with Shift. */
function useKeys(brush: Brush, change: (changed: Partial<Brush>) => void, act: Act, extent: Size) {
  const place = useRef<{ x: number; y: number } | null>(null);
  const arrows: Readonly<Record<string, [number, number]>> = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, -1],
    ArrowDown: [0, 1],
  };
  return (event: KeyboardEvent) => {
    const way = arrows[event.key];
    const onCanvas = event.target === event.currentTarget.querySelector(".painting-sheet");
    if (way !== undefined && onCanvas) {
      const from = place.current ?? { x: extent.width / 2, y: extent.height / 2 };
      const step = Math.max(1, brush.size / 4);
      const to = {
        x: Math.min(Math.max(from.x + way[0] * step, 0), extent.width),
        y: Math.min(Math.max(from.y + way[1] * step, 0), extent.height),
      };
      place.current = to;
      if (event.shiftKey) {
        act((each) => {
          each.begin(from, brush);
          each.move(to, brush);
          each.end();
        });
      }
    } else if (event.key === "[" || event.key === "]") {
      const factor = event.key === "]" ? 1.25 : 0.8;
      change({ size: Math.min(Math.max(1, Math.round(brush.size * factor)), LARGEST) });
    } else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      act((each) => (event.shiftKey ? each.redo() : each.undo()));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
}

interface ToolsProps {
  brush: Brush;
  change: (changed: Partial<Brush>) => void;
  painting: Painting | null;
  act: Act;
}

function Tools({ brush, change, painting, act }: ToolsProps) {
  return (
    <div className="painting-tools">
      <Tool words={t("Brush")} icon={Paintbrush} tool="brush" brush={brush} change={change} />
      <Tool words={t("Eraser")} icon={Eraser} tool="eraser" brush={brush} change={change} />
      <input
        type="color"
        aria-label={t("Color")}
        value={brush.colour}
        onChange={(event) => change({ colour: event.currentTarget.value, tool: "brush" })}
      />
      <Slider label={t("Size")} value={brush.size} max={LARGEST} set={(size) => change({ size })} />
      <Slider
        label={t("Opacity")}
        value={Math.round(brush.opacity * 100)}
        max={100}
        set={(share) => change({ opacity: share / 100 })}
      />
      <Slider
        label={t("Hardness")}
        value={Math.round(brush.hardness * 100)}
        max={100}
        set={(share) => change({ hardness: share / 100 })}
      />
      <Step
        words={t("Undo")}
        icon={Undo2}
        on={painting?.canUndo}
        act={() => act((p) => p.undo())}
      />
      <Step
        words={t("Redo")}
        icon={Redo2}
        on={painting?.canRedo}
        act={() => act((p) => p.redo())}
      />
      <Step
        words={t("Clear the painting")}
        icon={Trash2}
        on={painting !== null}
        act={() => act((p) => p.clear())}
      />
    </div>
  );
}

interface ToolProps {
  words: string;
  icon: typeof Undo2;
  tool: Brush["tool"];
  brush: Brush;
  change: ToolsProps["change"];
}

function Tool({ words, icon: Icon, tool, brush, change }: ToolProps) {
  return (
    <button
      type="button"
      aria-pressed={brush.tool === tool}
      title={words}
      aria-label={words}
      onClick={() => change({ tool })}
    >
      <Icon size={15} aria-hidden />
    </button>
  );
}

interface StepProps {
  words: string;
  icon: typeof Undo2;
  on: boolean | undefined;
  act: () => void;
}

function Step({ words, icon: Icon, on, act }: StepProps) {
  return (
    <button type="button" aria-label={words} title={words} disabled={on !== true} onClick={act}>
      <Icon size={15} aria-hidden />
    </button>
  );
}

interface SliderProps {
  label: string;
  value: number;
  max: number;
  set: (value: number) => void;
}

function Slider({ label, value, max, set }: SliderProps) {
  return (
    <label>
      {label}
      <input
        type="range"
        min={1}
        max={max}
        value={value}
        onChange={(event) => set(Number(event.currentTarget.value))}
      />
    </label>
  );
}
