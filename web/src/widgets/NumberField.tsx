/**
 * A number field. Drag to change it, click to type a number or an expression, arrow keys to step
 * it; with the focus, the wheel steps it, too. Shift steps finely, Ctrl coarsely. Shown as a slider
 * or a knob if the node's author asked for it.
 */
import { type KeyboardEvent, type RefObject, useEffect, useRef, useState } from "react";
import { plainDigits } from "../words/digits";
import { t } from "../words/words";
import { Knob } from "./Knob";
import {
  hasNearEnds,
  type Limit,
  limitOf,
  type Pace,
  type Range,
  shareOf,
  shownNumber,
  stepped,
  typedNumber,
  valueAt,
  type Whole,
} from "./number";
import { usePointerDrag } from "./pointerDrag";

export type NumberFace = "number" | "slider" | "knob";

interface Props {
  label: string;
  value: unknown;
  range: Range;
  face?: NumberFace;
  onChange: (value: Whole) => void;
  onDone: () => void;
}

const PIXELS_PER_STEP = 6;
const FINE_PIXELS_PER_STEP = 18;
const CLICK = 3;

interface Scrub {
  x: number;
  y: number;
  from: Whole;
  /** The value at the start, restored on cancel. */
  origin: Whole;
  pace: Pace;
}

export function NumberField(props: Props) {
  const [typing, setTyping] = useState<string | null>(null);
  const byKey = useRef(false);
  /** Typing began with a key press: that key is the first character, and the caret follows it. */
  const begun = useRef(false);
  const { label, value, range, onChange, onDone } = props;
  const finish = (text: string | null) => {
    setTyping(null);
    const read = text === null ? null : typedNumber(text, range, numberOf(value));
    if (read !== null && read !== value) onChange(read);
    onDone();
  };
  useLeft(() => {
    if (typing !== null) finish(typing);
  });
  if (typing === null) {
    const type = (text: string, isBegun = false) => {
      begun.current = isBegun;
      setTyping(text);
    };
    return <Resting {...props} onType={type} byKey={byKey} />;
  }
  const limit = limitOf(typing, range, numberOf(value));
  return (
    <span className="typed">
      <input
        className="field number typing"
        aria-label={label}
        aria-invalid={limit !== null}
        inputMode="text"
        // biome-ignore lint/a11y/noAutofocus: the field was just clicked to type into it
        autoFocus
        value={typing}
        onFocus={({ currentTarget: field }) => {
          if (begun.current) field.setSelectionRange(typing.length, typing.length);
          else field.select();
        }}
        onChange={(event) => setTyping(event.currentTarget.value)}
        onBlur={() => finish(typing)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" && event.key !== "Escape") return;
          // A key press with Ctrl or Alt applies the typed text, and then runs as a command.
          if (isCommand(event)) return finish(typing);
          // The field keeps the focus, and the key does not reach its ancestors.
          byKey.current = true;
          event.preventDefault();
          event.stopPropagation();
          finish(event.key === "Enter" ? typing : null);
        }}
      />
      {limit !== null && (
        <span className="limit" role="status">
          {wordsFor(limit, range)}
        </span>
      )}
    </span>
  );
}

/**
 * Calls `leave` when the field is unmounted. A field scrolled or zoomed out of view gets no blur
 * event, and its typed text must still be applied.
 */
function useLeft(leave: () => void): void {
  const last = useRef(leave);
  useEffect(() => {
    last.current = leave;
  });
  useEffect(() => () => last.current(), []);
}

/** Whether a key press is a command of the editor instead of text. */
function isCommand({ ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  return ctrlKey || metaKey || altKey;
}

function wordsFor(limit: Limit, range: Range): string {
  if (limit === "no number") return t("This is neither a number nor a calculation.");
  if (limit === "too small") return t("At least {{least}}", { least: String(range.min) });
  if (limit === "too large") return t("At most {{most}}", { most: String(range.max) });
  return range.whole
    ? t("Whole numbers only: it is rounded.")
    : t("It is rounded to {{step}}.", { step: range.round ?? range.step });
}

interface RestingProps extends Props {
  onType: (text: string, isBegun?: boolean) => void;
  byKey: RefObject<boolean>;
}

/** The field while the user is not typing in it. */
function Resting(props: RestingProps) {
  const { label, value, range, face = "number", onChange, onDone, onType, byKey } = props;
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (byKey.current) button.current?.focus({ preventScroll: true });
    byKey.current = false;
  }, [byKey]);
  const current = numberOf(value);
  const handlers = useScrubbing(props, onType);
  useFocusedWheel(button, (count, pace) => onChange(stepped(current, count, range, pace)));
  const key = (event: KeyboardEvent) => {
    const next = keyed(event, current, range);
    if (next !== null) onChange(next);
    else if (event.key === "Enter" && !isCommand(event)) onType(shownNumber(value, range));
    else if (/^[-\d.(]$/.test(plainDigits(event.key)) && !event.ctrlKey && !event.metaKey)
      onType(event.key, true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const shown = shownNumber(value, range);
  const share = face !== "number" || hasNearEnds(range) ? shareOf(current, range) : 0;
  return (
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: a slider or a spin button, which have them
    <button
      ref={button}
      type="button"
      role={face === "slider" ? "slider" : "spinbutton"}
      className={`field number ${face}`}
      aria-label={label}
      aria-valuenow={Number(current)}
      aria-valuetext={shown}
      aria-valuemin={Number(range.min)}
      aria-valuemax={Number(range.max)}
      {...handlers}
      onDoubleClick={() => onType(shown)}
      onKeyDown={key}
      onBlur={onDone}
      style={{ "--filled": `${share * 100}%` } as React.CSSProperties}
    >
      {face === "knob" && <Knob share={share} />}
      <span className="label">{label}</span>
      <span className="value">{shown}</span>
    </button>
  );
}

function useScrubbing(
  { value, range, face, onChange, onDone }: Props,
  onType: (text: string) => void,
) {
  const current = numberOf(value);
  const atPointer = ({ clientX }: PointerEvent, field: Element): Whole => {
    const { left, width } = field.getBoundingClientRect();
    return valueAt((clientX - left) / width, range);
  };
  const change = (next: Whole) => {
    if (next !== value) onChange(next);
  };
  return usePointerDrag<Scrub, HTMLButtonElement>({
    begin: (event) => {
      const { clientX: x, clientY: y } = event;
      return { x, y, from: current, origin: current, pace: paceOf(event) };
    },
    isBegun: (by) => Math.abs(alongOf(face, by)) >= CLICK,
    move: (begun, event, field) => {
      const pace = paceOf(event);
      if (face === "slider" && pace === "normal") {
        change(atPointer(event, field));
        return;
      }
      if (pace !== begun.pace) {
        // A modifier was pressed during the drag: continues from here, without a jump.
        Object.assign(begun, { x: event.clientX, y: event.clientY, from: current, pace });
      } else {
        const distance = alongOf(face, { x: event.clientX - begun.x, y: event.clientY - begun.y });
        change(stepped(begun.from, stepsIn(distance, pace), range, pace));
      }
    },
    end: onDone,
    cancel: ({ origin }) => {
      change(origin);
      onDone();
    },
    click: (_, event, field) => {
      if (face === "slider") {
        change(atPointer(event, field));
        onDone();
      } else onType(shownNumber(value, range));
    },
  });
}

/** How far a drag goes along the field: to the right; on a knob upwards, too. */
function alongOf(face: NumberFace | undefined, { x, y }: { x: number; y: number }): number {
  return face === "knob" ? x - y : x;
}

function stepsIn(pixels: number, pace: Pace): number {
  return Math.round(pixels / (pace === "fine" ? FINE_PIXELS_PER_STEP : PIXELS_PER_STEP));
}

/** The wheel steps a number only with the focus; otherwise it zooms the canvas. */
function useFocusedWheel(
  field: RefObject<HTMLElement | null>,
  onStep: (count: number, pace: Pace) => void,
): void {
  const step = useRef(onStep);
  useEffect(() => {
    step.current = onStep;
  });
  useEffect(() => {
    const element = field.current;
    const wheel = (event: WheelEvent) => {
      if (document.activeElement !== element || event.deltaY === 0) return;
      event.preventDefault();
      event.stopPropagation();
      step.current(event.deltaY < 0 ? 1 : -1, paceOf(event));
    };
    // React's wheel listeners are passive and could not stop the canvas from zooming.
    element?.addEventListener("wheel", wheel, { passive: false });
    return () => element?.removeEventListener("wheel", wheel);
  }, [field]);
}

function keyed(event: KeyboardEvent, current: Whole, range: Range): Whole | null {
  const pace = paceOf(event);
  switch (event.key) {
    case "ArrowUp":
    case "ArrowRight":
      return stepped(current, 1, range, pace);
    case "ArrowDown":
    case "ArrowLeft":
      return stepped(current, -1, range, pace);
    case "PageUp":
      return stepped(current, 1, range, "coarse");
    case "PageDown":
      return stepped(current, -1, range, "coarse");
    case "Home":
      return hasNearEnds(range) ? range.min : null;
    case "End":
      return hasNearEnds(range) ? range.max : null;
    default:
      return null;
  }
}

function paceOf(event: { shiftKey: boolean; ctrlKey: boolean; metaKey: boolean }): Pace {
  if (event.shiftKey) return "fine";
  return event.ctrlKey || event.metaKey ? "coarse" : "normal";
}

function numberOf(value: unknown): Whole {
  return typeof value === "number" || typeof value === "bigint" ? value : 0;
}
