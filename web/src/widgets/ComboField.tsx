/** One of many: a list with a search, drawn above everything at full size. */
import { ChevronDown, Search } from "lucide-react";
import { type KeyboardEvent, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { createPortal } from "react-dom";

interface Props {
  label: string;
  value: unknown;
  choices: readonly unknown[];
  disabled: boolean;
  onChange: (value: unknown) => void;
}

const SEARCHED_FROM = 8;
const DRAWN = 300;

export function ComboField({ label, value, choices, disabled, onChange }: Props) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const missing = !choices.includes(value);
  return (
    <>
      <button
        ref={button}
        type="button"
        className={`field combo${missing ? " missing" : ""}`}
        aria-haspopup="listbox"
        aria-expanded={open}
        aria-label={`${label}: ${shown(value)}`}
        title={missing ? `${shown(value)} is not here` : shown(value)}
        disabled={disabled}
        onClick={() => setOpen(true)}
      >
        <span className="label">{label}</span>
        <span className="value">{shown(value) || "none"}</span>
        <ChevronDown size={12} aria-hidden />
      </button>
      {open && button.current !== null && (
        <Choices
          anchor={button.current}
          label={label}
          value={value}
          choices={choices}
          onChoose={(choice) => {
            setOpen(false);
            if (choice !== undefined && choice !== value) onChange(choice);
            button.current?.focus();
          }}
        />
      )}
    </>
  );
}

interface ChoicesProps {
  anchor: HTMLElement;
  label: string;
  value: unknown;
  choices: readonly unknown[];
  /** `undefined` where nothing was chosen. */
  onChoose: (choice: unknown) => void;
}

function Choices({ anchor, label, value, choices, onChoose }: ChoicesProps) {
  const [typed, setTyped] = useState("");
  const found = useMemo(() => {
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
    return choices.filter((each) =>
      words.every((word) => shown(each).toLowerCase().includes(word)),
    );
  }, [choices, typed]);
  const [at, setAt] = useState(() => Math.max(0, choices.indexOf(value)));
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);

  useLayoutEffect(() => place(box.current, anchor), [anchor]);
  useEffect(() => {
    list.current?.children[at]?.scrollIntoView({ block: "nearest" });
  }, [at]);
  useEffect(() => {
    const away = (event: Event) => {
      if (!box.current?.contains(event.target as globalThis.Node)) onChoose(undefined);
    };
    window.addEventListener("pointerdown", away, true);
    window.addEventListener("wheel", away, true);
    return () => {
      window.removeEventListener("pointerdown", away, true);
      window.removeEventListener("wheel", away, true);
    };
  }, [onChoose]);

  const key = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "ArrowDown") setAt((before) => Math.min(before + 1, found.length - 1));
    else if (event.key === "ArrowUp") setAt((before) => Math.max(before - 1, 0));
    else if (event.key === "Enter") onChoose(found[at]);
    else if (event.key === "Escape" || event.key === "Tab") onChoose(undefined);
    else return;
    event.preventDefault();
  };

  return createPortal(
    <div ref={box} role="dialog" aria-label={label} className="choices" onKeyDown={key}>
      <div className={choices.length < SEARCHED_FROM ? "search hidden" : "search"}>
        <Search size={13} aria-hidden />
        <input
          // biome-ignore lint/a11y/noAutofocus: the list was just opened to choose from it
          autoFocus
          aria-label={`Search ${label}`}
          placeholder="Search"
          value={typed}
          onChange={(event) => {
            setTyped(event.currentTarget.value);
            setAt(0);
          }}
        />
      </div>
      <div ref={list} role="listbox" aria-label={label} className="list">
        {found.slice(0, DRAWN).map((each, index) => (
          <div
            key={shown(each)}
            role="option"
            tabIndex={-1}
            aria-selected={each === value}
            className={index === at ? "choice at" : "choice"}
            onPointerEnter={() => setAt(index)}
            onPointerDown={(event) => {
              event.preventDefault();
              onChoose(each);
            }}
          >
            {shown(each)}
          </div>
        ))}
        {found.length === 0 && <p className="none">Nothing here is called that.</p>}
        {found.length > DRAWN && <p className="none">{found.length - DRAWN} more: type to find.</p>}
      </div>
    </div>,
    document.body,
  );
}

function place(box: HTMLElement | null, anchor: HTMLElement): void {
  if (box === null) return;
  const field = anchor.getBoundingClientRect();
  const { height } = box.getBoundingClientRect();
  const below = field.bottom + 4;
  const top = below + height > window.innerHeight - 8 ? Math.max(8, field.top - height - 4) : below;
  box.style.top = `${top}px`;
  box.style.minWidth = `${Math.max(field.width, 200)}px`;
  const { width } = box.getBoundingClientRect();
  box.style.left = `${Math.max(8, Math.min(field.left, window.innerWidth - width - 8))}px`;
}

function shown(value: unknown): string {
  return value == null ? "" : String(value);
}
