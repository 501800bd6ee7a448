/** The wheel moves or zooms the canvas, except over a long text that is being edited. */
import { type RefObject, useEffect } from "react";
import { changeSetting, setting } from "../state/session/settings";
import { notify } from "../state/session/view";
import { t } from "../words/words";

const ASKED_KEY = "calotype.deviceAsked";
/** After this many events with movement in both directions, the device is taken for a trackpad. */
const DIAGONAL_LIMIT = 8;

export function useWheel(box: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    let diagonalCount = 0;
    const onWheel = (event: WheelEvent) => {
      if (!event.ctrlKey && scrolls(event.target)) {
        // Before React Flow receives the event; the browser still scrolls the text.
        event.stopPropagation();
        return;
      }
      if (event.deltaX !== 0 && event.deltaY !== 0 && !event.ctrlKey) diagonalCount += 1;
      if (diagonalCount === DIAGONAL_LIMIT) askDevice();
    };
    const options = { capture: true, passive: true } as const;
    element.addEventListener("wheel", onWheel, options);
    return () => element.removeEventListener("wheel", onWheel, options);
  }, [box]);
}

/**
 * Whether the text under the pointer scrolls instead: it has the focus, or its node is selected.
 */
function scrolls(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  const text = target.closest("textarea, .nowheel");
  if (text === null || text.scrollHeight <= text.clientHeight) return false;
  if (text.contains(document.activeElement)) return true;
  return text.matches(".nowheel") && text.closest(".react-flow__node.selected") !== null;
}

/** Asks once whether the device is a trackpad: what the user wants of it cannot be detected. */
function askDevice(): void {
  if (setting("calotype.device") !== "mouse" || localStorage.getItem(ASKED_KEY) !== null) return;
  localStorage.setItem(ASKED_KEY, "yes");
  notify(t("This looks like a trackpad. Should two fingers move the view, and pinching zoom?"), {
    label: t("Move with two fingers"),
    run: () => changeSetting("calotype.device", "trackpad"),
  });
}
