/** How long things glide: not at all for whoever asked the system for less motion. */
export function animationDuration(milliseconds: number): number {
  return globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches === true
    ? 0
    : milliseconds;
}
