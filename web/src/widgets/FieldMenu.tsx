/** The context menu of a field, opened with the right button or Shift+F10. */
import {
  ClipboardCopy,
  ClipboardPaste,
  Eye,
  EyeOff,
  type LucideIcon,
  RotateCcw,
  Unlink,
  Workflow,
} from "lucide-react";
import { type KeyboardEvent, type MouseEvent, type ReactNode, useRef, useState } from "react";
import { t } from "../words/words";
import { besideField } from "./besideField";
import { LazyMenu } from "./LazyMenu";
import type { MenuEntry, MenuItem } from "./Menu";

interface FieldItem extends MenuEntry {
  /** With a line above it. */
  separated?: boolean;
  mark: "reset" | "copy" | "paste" | "unlink" | "feed" | "show" | "hide";
}

const ICONS: Readonly<Record<FieldItem["mark"], LucideIcon>> = {
  reset: RotateCcw,
  copy: ClipboardCopy,
  paste: ClipboardPaste,
  unlink: Unlink,
  feed: Workflow,
  show: Eye,
  hide: EyeOff,
};

interface Props {
  /** Called when the menu is opened. */
  items: () => readonly FieldItem[];
  children: ReactNode;
}

export function FieldMenu({ items, children }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  const show = (event: MouseEvent | KeyboardEvent) => {
    event.preventDefault();
    event.stopPropagation();
    setOpen(true);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the field inside handles the keys
    <div
      ref={box}
      className="field-box"
      onContextMenu={(event) => {
        // Text fields keep the browser's own menu, with spelling and the clipboard.
        if (event.target instanceof Element && event.target.closest("textarea, input") === null) {
          show(event);
        }
      }}
      onKeyDown={(event) => {
        if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) show(event);
      }}
    >
      {children}
      {open && box.current !== null && (
        <LazyMenu
          at={besideField(box.current)}
          label={t("Field")}
          items={items().flatMap(entryOf)}
          onClose={() => setOpen(false)}
        />
      )}
    </div>
  );
}

function entryOf({ mark, separated, ...entry }: FieldItem): MenuItem[] {
  const shown = { ...entry, icon: ICONS[mark] };
  return separated === true ? ["line", shown] : [shown];
}
