/** A popup beside a field, above everything: in full size even if the canvas is zoomed out. */
import { type ReactNode, useEffect, useLayoutEffect, useRef } from "react";
import { createPortal } from "react-dom";

interface Props {
  anchor: HTMLElement;
  label: string;
  className?: string;
  onClose: () => void;
  children: ReactNode;
}

const GAP = 4;
const EDGE = 8;

/** Closes on Escape and on a press elsewhere; the focus returns to the field. */
export function Popup({ anchor, label, className = "", onClose, children }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const close = useRef(onClose);
  useEffect(() => {
    close.current = onClose;
  });
  useLayoutEffect(() => {
    const { current } = box;
    if (current === null) return;
    place(current, anchor);
    // Its size changes with its content, some of which loads later.
    const watching = new ResizeObserver(() => place(current, anchor));
    watching.observe(current);
    return () => watching.disconnect();
  }, [anchor]);
  useEffect(() => {
    const away = (event: Event) => {
      const { target } = event;
      if (!(target instanceof Node) || box.current?.contains(target)) return;
      close.current();
    };
    window.addEventListener("pointerdown", away, true);
    window.addEventListener("wheel", away, true);
    return () => {
      window.removeEventListener("pointerdown", away, true);
      window.removeEventListener("wheel", away, true);
    };
  }, []);
  // A popup that has the focus returns it to the field. In a layout effect, before the element is
  // removed and the focus is lost.
  useLayoutEffect(() => {
    const { current } = box;
    return () => {
      if (current?.contains(document.activeElement) === true) anchor.focus();
    };
  }, [anchor]);
  return createPortal(
    <div
      ref={box}
      role="dialog"
      aria-label={label}
      className={`popup nowheel nodrag ${className}`}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key !== "Escape") return;
        event.preventDefault();
        onClose();
        anchor.focus();
      }}
    >
      {children}
    </div>,
    document.body,
  );
}

function place(box: HTMLElement, anchor: HTMLElement): void {
  const field = anchor.getBoundingClientRect();
  box.style.minWidth = `${Math.max(field.width, 160)}px`;
  const { width, height } = box.getBoundingClientRect();
  const below = field.bottom + GAP;
  const above = field.top - height - GAP;
  const fitsBelow = below + height <= window.innerHeight - EDGE;
  box.style.top = `${fitsBelow ? below : Math.max(EDGE, above)}px`;
  box.style.left = `${Math.max(EDGE, Math.min(field.left, window.innerWidth - width - EDGE))}px`;
}
