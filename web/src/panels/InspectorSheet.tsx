/**
 * The inspector on a phone: a sheet between the graph and the lower edge. Its handle is dragged up
 * and down; a swipe down makes it lower, or closes it. It takes room from the graph rather than
 * lying over it, and the selected node is moved into what remains.
 */
import {
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { canvas } from "../state/session/canvas";
import { useActive } from "../state/session/studio";
import { useView } from "../state/session/view";
import { usePointerDrag } from "../widgets/pointerDrag";
import { t } from "../words/words";

/** As in the styles: narrower than this, the sheet replaces the panel beside the graph. */
const PHONE = "(width < 640px)";
/** The shares of the window's height at which the sheet rests. */
const HALF = 0.45;
const FULL = 0.72;
/** A swipe is faster than this, in pixels per millisecond. */
const SWIPE = 0.4;

/** Whether the window is as narrow as that of a phone. */
export function useIsPhone(): boolean {
  return useSyncExternalStore(
    (changed) => {
      const narrow = window.matchMedia(PHONE);
      narrow.addEventListener("change", changed);
      return () => narrow.removeEventListener("change", changed);
    },
    () => window.matchMedia(PHONE).matches,
  );
}

/**
 * Where a sheet of this height comes to rest: a share of the window's height, 0 for closed.
 * `speed` is that of the finger, in pixels per millisecond, positive downwards.
 */
export function restingShare(height: number, speed: number, window: number): number {
  const share = height / window;
  if (speed > SWIPE) return share > (HALF + FULL) / 2 ? HALF : 0;
  if (speed < -SWIPE) return FULL;
  if (share < HALF / 2) return 0;
  return share < (HALF + FULL) / 2 ? HALF : FULL;
}

const close = () => useView.setState({ inspector: false });

export function InspectorSheet({ children }: { children: ReactNode }) {
  const [share, setShare] = useState(HALF);
  const sheet = useRef<HTMLElement>(null);
  useSelectedInView(share);
  useInsteadOfDock();
  const settle = (to: number) => {
    if (to === 0) close();
    else setShare(to);
    sheet.current?.style.removeProperty("block-size");
  };
  return (
    <aside
      ref={sheet}
      className="inspector sheet"
      aria-label={t("Inspector")}
      style={{ "--share": share } as React.CSSProperties}
    >
      <Handle sheet={sheet} share={share} onSettle={settle} />
      <div className="sheet-content">{children}</div>
    </aside>
  );
}

/** Moves the selected node into the part of the graph that is left. */
function useSelectedInView(share: number): void {
  const only = useActive(({ selected }) => (selected.length === 1 ? selected[0] : undefined));
  // biome-ignore lint/correctness/useExhaustiveDependencies: each height leaves another part
  useEffect(() => {
    if (only === undefined) return;
    // After the canvas has its new size, and has fitted its view to that.
    let frame = requestAnimationFrame(() => {
      frame = requestAnimationFrame(() => canvas()?.reveal(only));
    });
    return () => cancelAnimationFrame(frame);
  }, [only, share]);
}

/** There is room for either: the dock closes, and the sheet does when the dock is opened. */
function useInsteadOfDock(): void {
  useEffect(() => {
    useView.setState({ dock: null });
    return useView.subscribe(({ dock }) => {
      if (dock !== null) close();
    });
  }, []);
}

interface HandleProps {
  sheet: React.RefObject<HTMLElement | null>;
  share: number;
  onSettle: (share: number) => void;
}

/** The finger's last places, for its speed. */
interface Drag {
  /** From the finger to the upper edge of the sheet. */
  offset: number;
  y: number;
  time: number;
  speed: number;
}

function Handle({ sheet, share, onSettle }: HandleProps) {
  const heightAt = (clientY: number, { offset }: Drag) => {
    const bottom = sheet.current?.getBoundingClientRect().bottom ?? window.innerHeight;
    return Math.min(Math.max(bottom - clientY + offset, 0), window.innerHeight * FULL);
  };
  const handlers = usePointerDrag<Drag, HTMLDivElement>({
    begin: ({ clientY: y, timeStamp: time }) => {
      const top = sheet.current?.getBoundingClientRect().top ?? y;
      return { offset: y - top, y, time, speed: 0 };
    },
    move: (drag, { clientY: y, timeStamp: time }) => {
      const speed = (y - drag.y) / Math.max(time - drag.time, 1);
      sheet.current?.style.setProperty("block-size", `${heightAt(y, drag)}px`);
      Object.assign(drag, { y, time, speed });
    },
    end: (drag, event) => {
      // A finger that rested before it was lifted did not swipe.
      const rested = event === null || event.timeStamp - drag.time > 100;
      const height = heightAt(event?.clientY ?? drag.y, drag);
      onSettle(restingShare(height, rested ? 0 : drag.speed, window.innerHeight));
    },
    cancel: () => onSettle(share),
  });
  const onKeyDown = (event: KeyboardEvent) => {
    const isUp = event.key === "ArrowUp";
    if (!isUp && event.key !== "ArrowDown") return;
    event.preventDefault();
    event.stopPropagation();
    onSettle(isUp ? FULL : share > HALF ? HALF : 0);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: an hr element cannot be dragged
    <div
      className="sheet-handle"
      role="separator"
      tabIndex={0}
      aria-orientation="horizontal"
      aria-label={t("Height of the inspector")}
      aria-valuenow={Math.round(share * 100)}
      aria-valuemin={0}
      aria-valuemax={FULL * 100}
      {...handlers}
      onKeyDown={onKeyDown}
    >
      <i aria-hidden />
    </div>
  );
}
