/** A short list of things to do, opened from a button or a field; arrow keys walk it. */
import type { LucideIcon } from "lucide-react";
import { type KeyboardEvent, useEffect, useRef } from "react";
import { Popup } from "./Popup";

export interface MenuItem {
  label: string;
  icon?: LucideIcon;
  /** One of several of which one is on. */
  checked?: boolean;
  disabled?: boolean;
  /** A line above it. */
  separated?: boolean;
  run: () => void;
}

interface Props {
  anchor: HTMLElement;
  label: string;
  items: readonly MenuItem[];
  onClose: () => void;
}

export function Menu({ anchor, label, items, onClose }: Props) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const on = list.current?.querySelector<HTMLElement>("[aria-checked=true], [role^=menuitem]");
    on?.focus();
  }, []);
  const key = (event: KeyboardEvent) => {
    const all = [...(list.current?.querySelectorAll<HTMLElement>("[role^=menuitem]") ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Tab") onClose();
    if (to === undefined) return;
    event.preventDefault();
    all.at(to % all.length)?.focus();
  };
  return (
    <Popup anchor={anchor} label={label} role="menu" className="menu-list" onClose={onClose}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the menu's items hear the keys */}
      <div ref={list} onKeyDown={key}>
        {items.map(({ label: text, icon: Icon, checked, disabled, separated, run }) => (
          <button
            key={text}
            type="button"
            role={checked === undefined ? "menuitem" : "menuitemradio"}
            {...(checked === undefined ? {} : { "aria-checked": checked })}
            className={separated === true ? "separated" : ""}
            disabled={disabled === true}
            onClick={() => {
              onClose();
              run();
            }}
          >
            {Icon === undefined ? <i /> : <Icon size={13} aria-hidden />}
            {text}
          </button>
        ))}
      </div>
    </Popup>
  );
}
