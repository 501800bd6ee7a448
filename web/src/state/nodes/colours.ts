/**
 * The colours of nodes and frames: a small palette whose values every ComfyUI has, each drawn in a
 * tone of the theme. Any other colour of a file is drawn as it is, with readable text.
 */
import { inkOn, mixed, parseHex, writeHex } from "../../document/colour";
import type { Paint } from "../../document/flags";
import type { GraphNode } from "../../document/graph";

interface PaletteColour extends Paint {
  /** The suffix of the CSS variable `--paint-…`. */
  id: string;
  title: string;
  frame: string;
}

export const PALETTE: readonly PaletteColour[] = [
  { id: "red", title: "Red", color: "#322", bgcolor: "#533", frame: "#A88" },
  { id: "brown", title: "Brown", color: "#332922", bgcolor: "#593930", frame: "#b06634" },
  { id: "yellow", title: "Yellow", color: "#432", bgcolor: "#653", frame: "#b58b2a" },
  { id: "green", title: "Green", color: "#232", bgcolor: "#353", frame: "#8A8" },
  { id: "cyan", title: "Cyan", color: "#233", bgcolor: "#355", frame: "#8AA" },
  { id: "pale-blue", title: "Pale blue", color: "#2a363b", bgcolor: "#3f5159", frame: "#3f789e" },
  { id: "blue", title: "Blue", color: "#223", bgcolor: "#335", frame: "#88A" },
  { id: "purple", title: "Purple", color: "#323", bgcolor: "#535", frame: "#a1309b" },
  { id: "black", title: "Black", color: "#222", bgcolor: "#000", frame: "#444" },
];

const BY_COLOUR = new Map(PALETTE.map((each) => [each.color, each.id]));
export const NOTE_COLOUR = "yellow";

/** The CSS variables of a coloured node; undefined for one without a colour. */
export function paintOf(node: GraphNode, otherwise?: string): Record<string, string> | undefined {
  const colour = node.color;
  const known = colour === null ? otherwise : BY_COLOUR.get(colour);
  if (known !== undefined)
    return { "--paint": `var(--paint-${known})`, "--on-paint": "var(--text)" };
  const rgb = colour === null ? null : parseHex(colour);
  if (rgb === null) return undefined;
  return { "--paint": writeHex(rgb), "--on-paint": `var(--ink-${inkOn(rgb)})` };
}

/** A frame's colour; undefined where the file's value is not a colour. */
export function frameColour(colour: string | null): string | undefined {
  const rgb = colour === null ? null : parseHex(colour);
  return rgb === null ? undefined : writeHex(rgb);
}

const BLACK = [0, 0, 0] as const;

/** A custom colour for a node: the title in it, the body darker, as in other editors. */
export function customPaint(hex: string): Paint {
  const rgb = parseHex(hex);
  return { color: hex, bgcolor: rgb === null ? hex : writeHex(mixed(rgb, BLACK, 0.7)) };
}

/** The palette's entry of a node's colour, or the colour itself. */
export function colourName(colour: string | null): string | null {
  return colour === null ? null : (BY_COLOUR.get(colour) ?? colour);
}
