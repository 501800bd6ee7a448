/** Colours as numbers: contrast for text (WCAG 2.1) and mixing. */

export type Rgb = readonly [number, number, number];

/** Parses `#rgb` or `#rrggbb`; an alpha part is accepted and dropped. Null for anything else. */
export function parseHex(text: string): Rgb | null {
  const digits = /^#([0-9a-f]{3,8})$/i.exec(text.trim())?.[1] ?? "";
  const wide =
    digits.length <= 4 ? [...digits.slice(0, 3)].map((each) => each + each).join("") : digits;
  if (![3, 4, 6, 8].includes(digits.length)) return null;
  const at = (index: number) => Number.parseInt(wide.slice(index, index + 2), 16);
  return [at(0), at(2), at(4)];
}

export function writeHex(rgb: Rgb): string {
  return `#${rgb.map((each) => Math.round(each).toString(16).padStart(2, "0")).join("")}`;
}

/** Mixes two colours; `share` is the weight of `one`, from 0 to 1. */
export function mixed(one: Rgb, other: Rgb, share: number): Rgb {
  const part = (index: 0 | 1 | 2) => one[index] * share + other[index] * (1 - share);
  return [part(0), part(1), part(2)];
}

function luminance(rgb: Rgb): number {
  const [red, green, blue] = rgb.map((each) => {
    const part = each / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
}

/** The WCAG contrast ratio, from 1 (equal) to 21; text needs 4.5. */
export function contrast(one: Rgb, other: Rgb): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];

/** The text colour with the better contrast; on every colour one of the two has at least 4.5. */
export function inkOn(colour: Rgb): "black" | "white" {
  return contrast(colour, BLACK) >= contrast(colour, WHITE) ? "black" : "white";
}
