/** A number: drag to change it, click to type it, arrow keys to step it. */
import { type KeyboardEvent, type PointerEvent, useRef, useState } from "react";
import { type Range, shownNumber, stepped, typedNumber, type Whole } from "./number";

interface Props {
  label: string;
  value: unknown;
  range: Range;
  disabled: boolean;
  onChange: (value: Whole) => void;
  onDone: () => void;
}

const PIXELS_PER_STEP = 6;
const CLICK = 3;

export function NumberField({ label, value, range, disabled, onChange, onDone }: Props) {
  const [typing, setTyping] = useState<string | null>(null);
  const scrub = useRef<{ x: number; from: Whole; moved: boolean } | null>(null);
  const current = typeof value === "number" || typeof value === "bigint" ? value : 0;

  const finish = (text: string | null) => {
    setTyping(null);
    const read = text === null ? null : typedNumber(text, range);
    if (read !== null && read !== value) onChange(read);
    onDone();
  };
  const press = (event: PointerEvent<HTMLButtonElement>) => {
    if (event.button !== 0 || disabled) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    scrub.current = { x: event.clientX, from: current, moved: false };
  };
  const drag = (event: PointerEvent<HTMLButtonElement>) => {
    const begun = scrub.current;
    if (begun === null) return;
    const distance = event.clientX - begun.x;
    if (!begun.moved && Math.abs(distance) < CLICK) return;
    begun.moved = true;
    const speed = event.shiftKey ? 10 : 1;
    const next = stepped(begun.from, Math.round(distance / PIXELS_PER_STEP) * speed, range);
    if (next !== value) onChange(next);
  };
  const release = () => {
    const begun = scrub.current;
    scrub.current = null;
    if (begun === null) return;
    if (begun.moved) onDone();
    else setTyping(shownNumber(value, range));
  };
  const key = (event: KeyboardEvent) => {
    const count = event.shiftKey ? 10 : 1;
    if (event.key === "ArrowUp" || event.key === "ArrowRight") {
      onChange(stepped(current, count, range));
    } else if (event.key === "ArrowDown" || event.key === "ArrowLeft") {
      onChange(stepped(current, -count, range));
    } else if (event.key === "Enter") {
      setTyping(shownNumber(value, range));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  if (typing !== null) {
    return (
      <input
        className="field number typing"
        aria-label={label}
        inputMode="decimal"
        // biome-ignore lint/a11y/noAutofocus: the field was just clicked to type into it
        autoFocus
        value={typing}
        onFocus={(event) => event.currentTarget.select()}
        onChange={(event) => setTyping(event.currentTarget.value)}
        onBlur={() => finish(typing)}
        onKeyDown={(event) => {
          if (event.key === "Enter") finish(typing);
          if (event.key === "Escape") finish(null);
        }}
      />
    );
  }
  return (
    <button
      type="button"
      role="spinbutton"
      className="field number"
      aria-label={label}
      aria-valuenow={Number(current)}
      aria-valuetext={shownNumber(value, range)}
      disabled={disabled}
      onPointerDown={press}
      onPointerMove={drag}
      onPointerUp={release}
      onKeyDown={key}
      style={{ "--filled": filled(current, range) } as React.CSSProperties}
    >
      <span className="label">{label}</span>
      <span className="value">{shownNumber(value, range)}</span>
    </button>
  );
}

/** How full a number with near ends is; 0 where its ends are far. */
function filled(value: Whole, { min, max, step }: Range): string {
  const [least, most] = [Number(min), Number(max)];
  if ((most - least) / step > 200) return "0%";
  return `${((Number(value) - least) / (most - least)) * 100}%`;
}
