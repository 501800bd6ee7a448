/** Text, on one line or many. While one types, undo is the field's own. */
import { type KeyboardEvent, useRef, type WheelEvent } from "react";

interface Props {
  label: string;
  value: unknown;
  multiline: boolean;
  placeholder: string;
  disabled: boolean;
  onChange: (value: string) => void;
  onDone: () => void;
}

export function TextField({ label, value, multiline, placeholder, disabled, ...act }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const shared = {
    "aria-label": label,
    value: String(value ?? ""),
    disabled,
    spellCheck: false,
    onBlur: act.onDone,
    onKeyDown: (event: KeyboardEvent<HTMLElement>) => {
      if (event.key === "Escape") event.currentTarget.blur();
    },
  };
  if (!multiline) {
    return (
      <label className="field text">
        <span className="label">{label}</span>
        <input
          {...shared}
          placeholder={placeholder}
          onChange={(event) => act.onChange(event.currentTarget.value)}
        />
      </label>
    );
  }
  /** The wheel belongs to the canvas unless the text is being edited and is longer than its box. */
  const wheel = (event: WheelEvent<HTMLTextAreaElement>) => {
    const { current } = area;
    const scrolls =
      current !== null &&
      document.activeElement === current &&
      current.scrollHeight > current.clientHeight;
    if (scrolls) event.stopPropagation();
  };
  return (
    <textarea
      {...shared}
      ref={area}
      className="field area"
      placeholder={placeholder || label}
      onWheel={wheel}
      onChange={(event) => act.onChange(event.currentTarget.value)}
    />
  );
}
