/**
 * A menu that opens at a place of the screen: arrow keys, letters, Escape; the focus goes back to
 * where it was. Knows nothing of what its entries do.
 */
import { Check, ChevronRight } from "lucide-react";
import { type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from "react";
import "./placedMenu.css";

interface MenuEntry {
  label: string;
  keys?: string;
  disabled?: boolean;
  checked?: boolean;
  /** Shown as a patch beside the label. */
  colour?: string;
  run?: () => void;
  /** Opens beside it. */
  entries?: readonly MenuItem[];
}

export type MenuItem = MenuEntry | "line";

interface Props {
  label: string;
  items: readonly MenuItem[];
  /** On the screen; `under` keeps the menu below or above what it belongs to. */
  at: { x: number; y: number };
  onClose: () => void;
}

export function PlacedMenu({ label, items, at, onClose }: Props) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    const shown = list.current;
    entriesIn(shown)[0]?.focus();
    return () => {
      if (shown?.contains(document.activeElement) && before instanceof HTMLElement) before.focus();
      else if (document.activeElement === document.body && before instanceof HTMLElement) {
        before.focus();
      }
    };
  }, []);
  useEffect(() => {
    const away = (event: Event) => {
      if (!(event.target instanceof Node && list.current?.contains(event.target))) onClose();
    };
    window.addEventListener("pointerdown", away, true);
    window.addEventListener("wheel", away, true);
    window.addEventListener("blur", onClose);
    return () => {
      window.removeEventListener("pointerdown", away, true);
      window.removeEventListener("wheel", away, true);
      window.removeEventListener("blur", onClose);
    };
  }, [onClose]);
  return (
    <Entries ref={list} label={label} items={items} at={at} onClose={onClose} onDone={onClose} />
  );
}

interface EntriesProps extends Props {
  ref: React.RefObject<HTMLDivElement | null>;
  /** Closes all of it, where `onClose` closes the innermost. */
  onDone: () => void;
}

function Entries({ ref, label, items, at, onClose, onDone }: EntriesProps) {
  const [place, setPlace] = useState(at);
  const [open, setOpen] = useState<number | null>(null);
  useLayoutEffect(() => {
    // Until it is shown it has no size.
    ref.current?.showPopover();
    const { width = 0, height = 0 } = ref.current?.getBoundingClientRect() ?? {};
    setPlace({
      x: Math.max(4, Math.min(at.x, window.innerWidth - width - 4)),
      y: Math.max(4, Math.min(at.y, window.innerHeight - height - 4)),
    });
  }, [at, ref]);
  const walk = (event: KeyboardEvent) => {
    const entries = entriesIn(ref.current);
    const index = entries.findIndex((each) => each.matches(":focus"));
    const step = (to: number) => entries[(to + entries.length) % entries.length]?.focus();
    if (event.key === "ArrowDown") step(index + 1);
    else if (event.key === "ArrowUp") step(index - 1);
    else if (event.key === "Home") step(0);
    else if (event.key === "End") step(-1);
    else if (event.key === "Escape" || event.key === "ArrowLeft") onClose();
    else if (event.key === "Tab") onDone();
    else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) {
      const letter = event.key.toLowerCase();
      const after = [...entries.slice(index + 1), ...entries.slice(0, index + 1)];
      after.find((each) => each.textContent?.trim().toLowerCase().startsWith(letter))?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      ref={ref}
      role="menu"
      aria-label={label}
      tabIndex={-1}
      popover="manual"
      className="placed-menu nopan nowheel"
      style={{ left: place.x, top: place.y }}
      onKeyDown={walk}
      onContextMenu={(event) => event.preventDefault()}
    >
      {items.map((item, index) =>
        item === "line" ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: lines have no other name
          <hr key={index} />
        ) : (
          <Entry
            key={item.label}
            item={item}
            open={open === index}
            onOpen={(opened) => setOpen(opened ? index : null)}
            onDone={onDone}
          />
        ),
      )}
    </div>
  );
}

interface EntryProps {
  item: MenuEntry;
  open: boolean;
  onOpen: (open: boolean) => void;
  onDone: () => void;
}

function Entry({ item, open, onOpen, onDone }: EntryProps) {
  const button = useRef<HTMLButtonElement>(null);
  const inner = useRef<HTMLDivElement>(null);
  const { label, disabled, checked, entries } = item;
  useEffect(() => {
    if (!open) return;
    entriesIn(inner.current)[0]?.focus();
  }, [open]);
  const choose = () => {
    if (entries !== undefined) {
      onOpen(true);
      return;
    }
    onDone();
    item.run?.();
  };
  const box = button.current?.getBoundingClientRect();
  return (
    <>
      <button
        ref={button}
        type="button"
        {...(checked === undefined
          ? { role: "menuitem" }
          : { role: "menuitemcheckbox", "aria-checked": checked })}
        aria-disabled={disabled === true ? true : undefined}
        aria-haspopup={entries === undefined ? undefined : "menu"}
        aria-expanded={entries === undefined ? undefined : open}
        tabIndex={-1}
        onClick={() => {
          if (disabled !== true) choose();
        }}
        onPointerMove={(event) => {
          if (document.activeElement !== event.currentTarget && !open) event.currentTarget.focus();
        }}
        onPointerEnter={() => onOpen(entries !== undefined && disabled !== true)}
        onKeyDown={(event) => {
          if (event.key !== "ArrowRight" || entries === undefined || disabled === true) return;
          event.preventDefault();
          event.stopPropagation();
          onOpen(true);
        }}
      >
        <EntryFace item={item} />
      </button>
      {open && entries !== undefined && box !== undefined && (
        <Entries
          ref={inner}
          label={label}
          items={entries}
          at={besides(box)}
          onClose={() => {
            onOpen(false);
            button.current?.focus();
          }}
          onDone={onDone}
        />
      )}
    </>
  );
}

function EntryFace({ item }: Pick<EntryProps, "item">) {
  const { label, keys, checked, colour, entries } = item;
  return (
    <>
      <span className="menu-mark">
        {checked === true && <Check size={13} aria-hidden />}
        {colour !== undefined && <i style={{ background: colour }} />}
      </span>
      <span className="menu-label">{label}</span>
      {keys !== undefined && keys !== "" && <kbd>{keys}</kbd>}
      {entries !== undefined && <ChevronRight size={13} aria-hidden />}
    </>
  );
}

const INNER_WIDTH = 240;

function besides({ left, right, top }: DOMRect): { x: number; y: number } {
  const x = right + INNER_WIDTH > window.innerWidth ? left - INNER_WIDTH : right - 4;
  return { x, y: top - 4 };
}

/** The entries of a menu that may be chosen, without those of the menus in it. */
function entriesIn(list: HTMLElement | null): HTMLElement[] {
  if (list === null) return [];
  return [...list.querySelectorAll<HTMLElement>(":scope > [role^=menuitem]")].filter(
    (each) => each.ariaDisabled !== "true",
  );
}
