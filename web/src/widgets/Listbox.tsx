/**
 * A list of options beside a field that has the focus: choices, completions, commands, nodes. The
 * field handles the keys and names the marked option in `aria-activedescendant`.
 */
import {
  type CSSProperties,
  type PointerEvent,
  type ReactNode,
  type Ref,
  useEffect,
  useRef,
} from "react";
import "./listbox.css";

interface ListboxProps {
  id: string;
  label: string;
  /** Several options can be chosen. */
  many?: boolean;
  /** The element that scrolls, unless the list is inside of it. */
  box?: Ref<HTMLDivElement>;
  className?: string;
  style?: CSSProperties;
  children: ReactNode;
}

export function Listbox({ id, label, many, box, className = "list", ...rest }: ListboxProps) {
  return (
    <div
      ref={box}
      id={id}
      role="listbox"
      aria-label={label}
      aria-multiselectable={many}
      className={className}
      {...rest}
    />
  );
}

interface OptionProps {
  id: string;
  /** Marked: what Enter chooses. */
  at: boolean;
  /** The current value; without it, the marked option counts as selected. */
  chosen?: boolean;
  disabled?: boolean;
  /** The place in the whole list and its length, where only a part of it is rendered. */
  index?: number;
  count?: number;
  /** Measures the rows of a virtual list, which scrolls by itself. */
  measure?: ((element: Element | null) => void) | null;
  /** The list scrolls to the marked option by itself. */
  virtual?: boolean;
  className?: string;
  style?: CSSProperties;
  title?: string;
  onPoint?: () => void;
  onChoose: (event: PointerEvent) => void;
  children: ReactNode;
}

/** An option is chosen when it is pressed, so that the field does not lose the focus. */
export function Option(props: OptionProps) {
  const { id, at, chosen = at, disabled = false, index, count, measure = null } = props;
  const { virtual = measure !== null, className = "", style, title, onPoint, children } = props;
  const line = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (at && !virtual) line.current?.scrollIntoView({ block: "nearest" });
  }, [at, virtual]);
  useEffect(() => measure?.(line.current), [measure]);
  return (
    <div
      ref={line}
      id={id}
      role="option"
      tabIndex={-1}
      aria-selected={chosen}
      aria-disabled={disabled || undefined}
      aria-setsize={count}
      aria-posinset={index === undefined ? undefined : index + 1}
      data-index={index}
      className={["option", at && "at", disabled && "off", className].filter(Boolean).join(" ")}
      style={style}
      title={title}
      onPointerMove={() => {
        if (!at) onPoint?.();
      }}
      onPointerDown={(event) => {
        event.preventDefault();
        props.onChoose(event);
      }}
    >
      {children}
    </div>
  );
}
