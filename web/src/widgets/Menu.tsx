/**
 * The only menu component: arrow keys, letters, Escape, submenus. Opens at a place of the screen,
 * above everything, and restores the focus when it closes. Independent of what its entries do.
 */
import { Check, ChevronRight, type LucideIcon } from "lucide-react";
import {
  type HTMLAttributes,
  type KeyboardEvent,
  type ReactNode,
  type RefObject,
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { createPortal } from "react-dom";
import type { MenuPlace } from "./besideField";
import "./menu.css";

export interface MenuEntry {
  label: string;
  keys?: string;
  disabled?: boolean;
  checked?: boolean;
  /** Whether it is one of a group with one checked entry. */
  among?: boolean;
  icon?: LucideIcon;
  /** Shown as a swatch beside the label. */
  colour?: string;
  run?: () => void;
  /** Shown below the label. */
  note?: ReactNode;
  /** The submenu, which opens beside it. */
  entries?: readonly MenuItem[];
}

export type MenuItem = MenuEntry | "line";

interface Props {
  label: string;
  items: readonly MenuItem[];
  at: MenuPlace;
  /** The page where it opens, if it is not the editor's own. */
  page?: Document;
  onClose: () => void;
}

const EDGE = 4;

export function Menu({ label, items, at, page = document, onClose }: Props) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const before = page.activeElement as HTMLElement | null;
    const shown = list.current;
    entriesIn(shown)[0]?.focus();
    return () => {
      const now = page.activeElement;
      if (now === null || now === page.body || shown?.contains(now)) before?.focus();
    };
  }, [page]);
  useEffect(() => {
    const room = page.defaultView ?? window;
    const away = (event: Event) => {
      if (!list.current?.contains(event.target as Node | null)) onClose();
    };
    room.addEventListener("pointerdown", away, true);
    room.addEventListener("wheel", away, true);
    room.addEventListener("blur", onClose);
    return () => {
      room.removeEventListener("pointerdown", away, true);
      room.removeEventListener("wheel", away, true);
      room.removeEventListener("blur", onClose);
    };
  }, [page, onClose]);
  return createPortal(
    <Placed ref={list} label={label} items={items} at={at} onClose={onClose} onDone={onClose} />,
    // What is outside of a modal dialog cannot be used while it is open.
    [...page.querySelectorAll<HTMLElement>("dialog[open]")].at(-1) ?? page.body,
  );
}

interface PlacedProps extends Props {
  ref: RefObject<HTMLDivElement | null>;
  /** Closes all menus, whereas `onClose` closes the innermost. */
  onDone: () => void;
}

function Placed({ ref, label, items, at, onClose, onDone }: PlacedProps) {
  const [place, setPlace] = useState({ left: at.x, top: at.y });
  const { x, y, above } = at;
  // It has no size until it is shown.
  useLayoutEffect(() => ref.current?.showPopover(), [ref]);
  useLayoutEffect(() => {
    const { width = 0, height = 0 } = ref.current?.getBoundingClientRect() ?? {};
    const page = ref.current?.ownerDocument.defaultView ?? window;
    const room = page.innerHeight - height - EDGE;
    const top = above !== undefined && y > room ? above - height : Math.min(y, room);
    setPlace({
      left: Math.max(EDGE, Math.min(x, page.innerWidth - width - EDGE)),
      top: Math.max(EDGE, top),
    });
  }, [x, y, above, ref]);
  return (
    <MenuRows
      ref={ref}
      label={label}
      items={items}
      onClose={onClose}
      onDone={onDone}
      onTab={onDone}
      box={{ popover: "manual", style: place, className: "menu-box nodrag nopan nowheel" }}
    />
  );
}

interface RowsProps {
  ref: RefObject<HTMLDivElement | null>;
  label: string;
  items: readonly MenuItem[];
  onClose: () => void;
  onDone: () => void;
  /** Called on Tab, where the focus must not simply move to what follows the menu. */
  onTab?: () => void;
  box?: HTMLAttributes<HTMLDivElement>;
}

/** The entries of a menu, as a popover or in place. */
export function MenuRows({ ref, label, items, onClose, onDone, onTab, box = {} }: RowsProps) {
  const [open, setOpen] = useState<number | null>(null);
  return (
    <div
      ref={ref}
      role="menu"
      aria-label={label}
      tabIndex={-1}
      {...box}
      className={`menu-rows ${box.className ?? ""}`}
      onKeyDown={(event) => walk(event, ref.current, onClose, onTab)}
      onContextMenu={(event) => {
        event.preventDefault();
        event.stopPropagation();
      }}
    >
      {items.map((item, index) =>
        item === "line" ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: separators are identified by their index
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

/** Handles the keys in a menu. None of them reaches what is below it. */
function walk(
  event: KeyboardEvent,
  list: HTMLElement | null,
  onClose: () => void,
  onTab: (() => void) | undefined,
): void {
  event.stopPropagation();
  const entries = entriesIn(list);
  const index = entries.findIndex((each) => each.matches(":focus"));
  const step = (to: number) => entries[(to + entries.length) % entries.length]?.focus();
  if (event.key === "ArrowDown") step(index + 1);
  else if (event.key === "ArrowUp") step(index - 1);
  else if (event.key === "Home") step(0);
  else if (event.key === "End") step(-1);
  else if (event.key === "Escape" || event.key === "ArrowLeft") onClose();
  else if (event.key === "Tab" && onTab !== undefined) onTab();
  else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey) {
    const letter = event.key.toLowerCase();
    const after = [...entries.slice(index + 1), ...entries.slice(0, index + 1)];
    after.find((each) => each.textContent?.trim().toLowerCase().startsWith(letter))?.focus();
  } else return;
  event.preventDefault();
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
  const note = useId();
  const { label, disabled, entries } = item;
  useEffect(() => {
    if (open) entriesIn(inner.current)[0]?.focus();
  }, [open]);
  const opens = entries !== undefined && disabled !== true;
  const choose = () => {
    if (entries !== undefined) return onOpen(true);
    onDone();
    item.run?.();
  };
  const box = button.current?.getBoundingClientRect();
  return (
    <>
      <button
        ref={button}
        type="button"
        {...roleOf(item)}
        aria-describedby={item.note === undefined ? undefined : note}
        aria-disabled={disabled}
        aria-haspopup={entries === undefined ? undefined : "menu"}
        aria-expanded={entries === undefined ? undefined : open}
        tabIndex={-1}
        onClick={disabled === true ? undefined : choose}
        onPointerMove={({ currentTarget: entry }) => {
          if (entry.ownerDocument.activeElement !== entry && !open) entry.focus();
        }}
        onPointerEnter={() => onOpen(opens)}
        onKeyDown={(event) => {
          if (event.key !== "ArrowRight" || !opens) return;
          event.stopPropagation();
          onOpen(true);
        }}
      >
        <EntryFace item={item} />
      </button>
      {item.note !== undefined && (
        <span id={note} className="menu-note">
          {item.note}
        </span>
      )}
      {open && entries !== undefined && box !== undefined && (
        <Placed
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

function roleOf({ checked, among }: MenuEntry) {
  if (checked === undefined) return { role: "menuitem" };
  return { role: among ? "menuitemradio" : "menuitemcheckbox", "aria-checked": checked };
}

function EntryFace({ item }: Pick<EntryProps, "item">) {
  const { label, keys, checked, colour, icon: Icon, entries } = item;
  return (
    <>
      <span className="menu-mark">
        {Icon !== undefined && <Icon size={13} aria-hidden />}
        {Icon === undefined && checked === true && <Check size={13} aria-hidden />}
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

/** The enabled entries of a menu, without those of its submenus. */
function entriesIn(list: HTMLElement | null): HTMLElement[] {
  if (list === null) return [];
  return [...list.querySelectorAll<HTMLElement>(":scope > [role^=menuitem]")].filter(
    (each) => each.ariaDisabled !== "true",
  );
}
