/**
 * Labels of icons, shown when the pointer rests on one or the keyboard reaches it: the text is in
 * `data-tip`. The browser's own `title` comes after a second, at the pointer, in small type. They
 * are not for screen readers, which have the icon's accessible name.
 */
import "./tips.css";

/** In milliseconds. */
const REST = 300;
/** The next label comes at once if the last one disappeared no longer ago, in milliseconds. */
const WARM = 400;
const GAP = 6;
const EDGE = 6;

/** Shows the labels of all elements with `data-tip`. Returns a function that ends it. */
export function watchTips(): () => void {
  const listening = new AbortController();
  const on = (type: string, act: (event: Event) => void) =>
    document.addEventListener(type, act, { capture: true, signal: listening.signal });
  const tip = new Tip();
  on("pointerover", (event) => {
    if (event instanceof PointerEvent && event.pointerType === "touch") return;
    tip.aim(targetOf(event));
  });
  on("focusin", (event) => {
    const target = targetOf(event);
    if (target?.matches(":focus-visible") === true) tip.aim(target);
  });
  for (const type of ["pointerdown", "keydown", "focusout", "wheel", "scroll", "dragstart"]) {
    on(type, () => tip.hide());
  }
  document.documentElement.addEventListener("pointerleave", () => tip.aim(null), {
    signal: listening.signal,
  });
  return () => {
    listening.abort();
    tip.remove();
  };
}

function targetOf({ target }: Event): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>("[data-tip]") : null;
}

class Tip {
  readonly #box = document.createElement("div");
  #target: HTMLElement | null = null;
  #timer = 0;
  #left = Number.NEGATIVE_INFINITY;

  constructor() {
    this.#box.className = "tip";
    this.#box.popover = "manual";
    this.#box.ariaHidden = "true";
  }

  /** The element under the pointer, or with the focus; null for none with a label. */
  aim(target: HTMLElement | null): void {
    if (target === this.#target) return;
    this.hide();
    this.#target = target;
    if (target === null) return;
    const isWarm = performance.now() - this.#left < WARM;
    this.#timer = window.setTimeout(() => this.#show(target), isWarm ? 0 : REST);
  }

  /** Hides it until another element is pointed at. */
  hide(): void {
    window.clearTimeout(this.#timer);
    if (!this.#box.isConnected) return;
    this.#box.remove();
    this.#left = performance.now();
  }

  remove(): void {
    this.hide();
    this.#target = null;
  }

  #show(target: HTMLElement): void {
    const text = target.dataset.tip ?? "";
    if (text === "" || !target.isConnected) return;
    const box = this.#box;
    // A key is behind two spaces, as `withKey` writes it.
    const [label = "", key] = text.split("  ");
    box.textContent = label;
    if (key !== undefined) {
      const shown = document.createElement("kbd");
      shown.textContent = key;
      box.append(" ", shown);
    }
    // Inside of a modal dialog, since everything else is inert; shown above all, in any case.
    (target.closest("dialog[open]") ?? document.body).append(box);
    box.showPopover();
    const at = target.getBoundingClientRect();
    const { width, height } = box.getBoundingClientRect();
    const left = at.left + at.width / 2 - width / 2;
    const below = at.bottom + GAP;
    const fits = below + height <= window.innerHeight - EDGE;
    box.style.left = `${Math.max(EDGE, Math.min(left, window.innerWidth - width - EDGE))}px`;
    box.style.top = `${fits ? below : Math.max(EDGE, at.top - height - GAP)}px`;
  }
}
