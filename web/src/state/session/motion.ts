/** In milliseconds: a movement explains where something went, and is over before it is waited for. */
const DURATION = 140;

/** The duration of a movement of the view; 0 where the system is set to reduced motion. */
export function animationDuration(): number {
  return globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches === true
    ? 0
    : DURATION;
}
