/**
 * Keys that belong to an input method: while a Japanese, Chinese or Korean word is being composed,
 * Enter takes it, Escape gives it up, and arrows and Tab choose among spellings. None of these is
 * a key of the editor.
 */

/** Browsers report this code for a key that the input method handles, whatever key it is. */
const HANDLED_BY_INPUT_METHOD = 229;
/** Keys whose default would close a dialog or move the focus, and end the composition with it. */
const LEAVING: ReadonlySet<string> = new Set(["Escape", "Tab"]);

/**
 * Whether the input method handles this key. Safari ends a composition before it reports the Enter
 * that ended it, so `isComposing` alone would let that one through.
 */
function isComposing({ isComposing, keyCode }: KeyboardEvent): boolean {
  return isComposing || keyCode === HANDLED_BY_INPUT_METHOD;
}

/** Keeps keys of a composition from everything in the page. Returns what ends it. */
export function guardComposition(target: EventTarget = window): () => void {
  const guard = (event: Event) => {
    if (!isComposing(event as KeyboardEvent)) return;
    // The first listener of all: no field, dialog, canvas or library has to know of input methods.
    event.stopImmediatePropagation();
    if (LEAVING.has((event as KeyboardEvent).key)) event.preventDefault();
  };
  target.addEventListener("keydown", guard, { capture: true });
  return () => target.removeEventListener("keydown", guard, { capture: true });
}
