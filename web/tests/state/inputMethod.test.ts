/** Keys of an input method reach no listener in the page. */
import { expect, test, vi } from "vitest";
import { guardComposition } from "../../src/state/session/inputMethod";

function keydown(key: string, state: { isComposing?: boolean; keyCode?: number } = {}): Event {
  const { isComposing = false, keyCode = 0 } = state;
  const event = new Event("keydown", { cancelable: true });
  return Object.assign(event, { key, isComposing, keyCode });
}

test("a key that is composed with is heard by nobody, before and after the composition's end", () => {
  const page = new EventTarget();
  const end = guardComposition(page);
  const heard = vi.fn();
  page.addEventListener("keydown", heard);
  page.dispatchEvent(keydown("Enter", { isComposing: true }));
  page.dispatchEvent(keydown("Process", { keyCode: 229 }));
  // Safari: the Enter that accepted the word comes after compositionend.
  page.dispatchEvent(keydown("Enter", { keyCode: 229 }));
  expect(heard).not.toHaveBeenCalled();
  const plain = keydown("Enter", { keyCode: 13 });
  page.dispatchEvent(plain);
  expect(heard).toHaveBeenCalledExactlyOnceWith(plain);
  end();
  page.dispatchEvent(keydown("Enter", { isComposing: true }));
  expect(heard).toHaveBeenCalledTimes(2);
});

test.each([
  ["Escape", true],
  ["Tab", true],
  ["Enter", false],
  ["a", false],
])("the default of %s while composing is prevented: %s", (key, prevented) => {
  const page = new EventTarget();
  guardComposition(page);
  const event = keydown(key, { isComposing: true });
  page.dispatchEvent(event);
  expect(event.defaultPrevented).toBe(prevented);
});
