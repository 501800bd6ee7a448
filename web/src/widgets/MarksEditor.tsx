/** The image on which boxes and points are drawn. All coordinates are in pixels of the image. */
import { type KeyboardEvent, useRef, useState } from "react";
import { t } from "../words/words";
import { type Box, type Extent, type Marker, movedBy, sizedBy, spanned } from "./boxes";
import { NumberField } from "./NumberField";
import type { Range } from "./number";
import { usePointerDrag } from "./pointerDrag";

interface Props {
  label: string;
  marker: Marker;
  marks: readonly Box[];
  picture: string | null;
  onChange: (marks: Box[]) => void;
  onDone: () => void;
}

type Grip = "move" | "size" | "draw";
interface Held {
  index: number;
  grip: Grip;
  from: { x: number; y: number };
  box: Box;
  /** All marks as they were before. */
  before: readonly Box[];
}

const BLANK: Extent = { width: 1024, height: 1024 };
const SIDE = 320;
const PIXELS: Range = { min: 0, max: 16384, step: 8, whole: true };
const STEP = 8;

export function MarksEditor(props: Props) {
  const { label, marker, marks, picture, onDone } = props;
  const drawing = useDrawing(props);
  const { extent, scale, stage, at } = drawing;
  const current = marks[at];
  return (
    <div className="marks-editor">
      <div
        ref={stage}
        className="marks-stage"
        style={{ width: extent.width * scale, height: extent.height * scale }}
        {...drawing.handlers}
      >
        {picture !== null && (
          <img
            src={picture}
            alt=""
            draggable={false}
            onLoad={({ currentTarget: { naturalWidth: width, naturalHeight: height } }) =>
              drawing.setNatural({ width, height })
            }
          />
        )}
        {marks.map((box, index) => (
          <MarkBox
            // biome-ignore lint/suspicious/noArrayIndexKey: a mark is identified by its index
            key={index}
            label={label}
            marker={marker}
            index={index}
            box={box}
            drawing={drawing}
          />
        ))}
      </div>
      {current !== undefined && (
        <div className="marks-numbers">
          {(marker === "points" ? POINT : BOX).map((name) => (
            <NumberField
              key={name}
              label={t(name)}
              value={Math.round(current[name])}
              range={PIXELS}
              onChange={(value) => drawing.set(at, { ...current, [name]: Number(value) })}
              onDone={onDone}
            />
          ))}
        </div>
      )}
    </div>
  );
}

const POINT = ["x", "y"] as const;
const BOX = ["x", "y", "width", "height"] as const;

interface MarkProps {
  label: string;
  marker: Marker;
  index: number;
  box: Box;
  drawing: ReturnType<typeof useDrawing>;
}

function MarkBox({ label, marker, index, box, drawing }: MarkProps) {
  const { scale, at, setAt, key } = drawing;
  return (
    <button
      type="button"
      className={`mark-box ${marker === "points" ? "point" : ""}${index === at ? " at" : ""}`}
      style={{
        left: box.x * scale,
        top: box.y * scale,
        width: box.width * scale,
        height: box.height * scale,
      }}
      aria-label={t("{{label}} {{number}}: {{x}}, {{y}}", {
        label,
        number: index + 1,
        x: Math.round(box.x),
        y: Math.round(box.y),
      })}
      onFocus={() => setAt(index)}
      data-mark={index}
      onKeyDown={(event) => key(event, index, box)}
    >
      {marker !== "points" && <i />}
    </button>
  );
}

/** What the pointer and the keys do to the marks. */
function useDrawing({ marker, marks, onChange, onDone }: Props) {
  const [natural, setNatural] = useState<Extent | null>(null);
  const [at, setAt] = useState(0);
  const stage = useRef<HTMLDivElement>(null);
  const extent = natural ?? reaching(marks);
  const scale = Math.min(SIDE / extent.width, SIDE / extent.height);
  const set = (index: number, box: Box) =>
    onChange(
      index < marks.length
        ? marks.map((each, place) => (place === index ? box : each))
        : [...marks, box],
    );
  const placeOf = (event: { clientX: number; clientY: number }) => {
    const box = stage.current?.getBoundingClientRect();
    return {
      x: (event.clientX - (box?.left ?? 0)) / scale,
      y: (event.clientY - (box?.top ?? 0)) / scale,
    };
  };
  const handlers = usePointerDrag<Held, HTMLDivElement>({
    begin: (event) => {
      event.stopPropagation();
      const from = placeOf(event);
      const pressed = heldAt(event.target, marks);
      const index = pressed?.index ?? (marker === "box" ? 0 : marks.length);
      setAt(index);
      if (pressed !== null) return { ...pressed, from, before: marks };
      const box = { ...from, width: 0, height: 0 };
      if (marker === "points") set(index, box);
      return { index, grip: marker === "points" ? "move" : "draw", from, box, before: marks };
    },
    move: ({ index, grip, from, box }, event) => {
      const point = placeOf(event);
      const by = { x: point.x - from.x, y: point.y - from.y };
      if (grip === "draw") {
        const inside = { x: clip(point.x, extent.width), y: clip(point.y, extent.height) };
        set(index, spanned(from, inside));
      } else set(index, (grip === "move" ? movedBy : sizedBy)(box, by, extent));
    },
    end: onDone,
    cancel: ({ before }) => {
      onChange([...before]);
      onDone();
    },
  });
  const key = (event: KeyboardEvent, index: number, box: Box) => {
    if ((event.key === "Delete" || event.key === "Backspace") && marker !== "box") {
      onChange(marks.filter((_, place) => place !== index));
    } else {
      const by = arrow(event);
      if (by === null) return;
      set(index, (event.altKey && marker !== "points" ? sizedBy : movedBy)(box, by, extent));
    }
    event.preventDefault();
  };
  return { extent, scale, stage, at, setAt, setNatural, set, handlers, key };
}

/** The mark under the pointer, and whether it is held by its corner; null for none. */
function heldAt(target: EventTarget, marks: readonly Box[]): Omit<Held, "from" | "before"> | null {
  if (!(target instanceof Element)) return null;
  const mark = target.closest<HTMLElement>("[data-mark]");
  const index = Number(mark?.dataset.mark);
  const box = marks[index];
  if (mark === null || box === undefined) return null;
  return { index, grip: target === mark ? "move" : "size", box };
}

/** An extent around all marks, if there is no image. */
function reaching(marks: readonly Box[]): Extent {
  return {
    width: Math.max(BLANK.width, ...marks.map((each) => each.x + each.width)),
    height: Math.max(BLANK.height, ...marks.map((each) => each.y + each.height)),
  };
}

function clip(value: number, most: number): number {
  return Math.max(0, Math.min(value, most));
}

function arrow(event: KeyboardEvent): { x: number; y: number } | null {
  const by = event.shiftKey ? 1 : STEP;
  switch (event.key) {
    case "ArrowLeft":
      return { x: -by, y: 0 };
    case "ArrowRight":
      return { x: by, y: 0 };
    case "ArrowUp":
      return { x: 0, y: -by };
    case "ArrowDown":
      return { x: 0, y: by };
    default:
      return null;
  }
}
