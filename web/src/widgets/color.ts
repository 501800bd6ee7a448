/** Colours in the forms that nodes take: `#rrggbb`, or an integer. */

const SHORT = /^#?([\da-f])([\da-f])([\da-f])$/i;
const LONG = /^#?([\da-f]{6})([\da-f]{2})?$/i;

/** The value as `#rrggbb`; null if it is not a colour. */
export function hexOf(value: unknown): string | null {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffffff) {
    return `#${value.toString(16).padStart(6, "0")}`;
  }
  if (typeof value !== "string") return null;
  // Input methods may write full-width letters and digits.
  const text = value.trim().normalize("NFKC");
  const short = SHORT.exec(text);
  if (short !== null)
    return `#${short
      .slice(1)
      .map((each) => each + each)
      .join("")}`.toLowerCase();
  const long = LONG.exec(text);
  return long === null ? null : `#${long[1] ?? ""}`.toLowerCase();
}

/** A colour in the form of the previous value. */
export function inFormOf(before: unknown, hex: string): string | number {
  return typeof before === "number" ? Number.parseInt(hex.slice(1), 16) : hex;
}
