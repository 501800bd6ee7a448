/** The duration of an animation; 0 where the system is set to reduced motion. */
export function animationDuration(milliseconds: number): number {
  return globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches === true
    ? 0
    : milliseconds;
}
