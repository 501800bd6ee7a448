/**
 * Which widget each entry of a saved list of values belongs to.
 * Lists of any length are read: nobody's extra entries are called by their place.
 */
import type { WidgetSlot } from "./graph";
import type { Json } from "./json";

const CONTROLS: ReadonlySet<Json> = new Set<Json>([
  "fixed",
  "increment",
  "decrement",
  "randomize",
  "increment-wrap",
  true,
  false,
]);

/** A name for each entry of the list. */
export function namesOf(list: readonly Json[], layout?: readonly WidgetSlot[]): string[] {
  if (layout === undefined) return list.map((_, index) => placeName(index));
  const now = walk(list, layout, false);
  if (now.length < list.length && layout.some((each) => each.kind === "forced")) {
    const old = walk(list, layout, true);
    if (old.length === list.length) return old;
  }
  return list.map((_, index) => now[index] ?? placeName(index));
}

function walk(list: readonly Json[], layout: readonly WidgetSlot[], forced: boolean): string[] {
  const names: string[] = [];
  for (const slot of layout) {
    if (names.length >= list.length) break;
    if (slot.kind === "forced" && !forced) continue;
    if (slot.kind === "control" && !CONTROLS.has(list[names.length] ?? null)) continue;
    names.push(slot.name);
  }
  return names;
}

/** What an entry is called whose widget nobody knows. */
export function placeName(index: number): string {
  return `#${index}`;
}

export function isPlaceName(name: string): boolean {
  return name.startsWith("#");
}
