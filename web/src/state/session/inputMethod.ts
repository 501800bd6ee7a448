/**
 * Keys that belong to an input method: while a Japanese, Chinese or Korean word is being composed,
 * Enter accepts it, Escape cancels it, and arrows and Tab choose among candidates. None of these
 * must reach the editor's shortcuts.
 */

/** The key code that browsers report for every key that the input method handles. */
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

/** Keeps keys of a composition from all other listeners. Returns a function that ends this. */
export function guardComposition(target: EventTarget = window): () => void {
  const guard = (event: Event) => {
    if (!isComposing(event as KeyboardEvent)) return;
    // This listener is the first, so that no other code needs to handle input methods.
    event.stopImmediatePropagation();
    if (LEAVING.has((event as KeyboardEvent).key)) event.preventDefault();
  };
  target.addEventListener("keydown", guard, { capture: true });
  return () => target.removeEventListener("keydown", guard, { capture: true });
}
