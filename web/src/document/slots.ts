/**
 * Maps each entry of a saved list of values to a widget. Lists of any length are accepted: extra
 * entries without a widget are named by their index.
 */
import type { InputSlot, WidgetSlot } from "./graph";
import type { Json, JsonObject } from "./json";

const CONTROLS: ReadonlySet<Json> = new Set<Json>([
  "fixed",
  "increment",
  "decrement",
  "randomize",
  "increment-wrap",
  true,
  false,
]);

/** The widgets that the slots of a node's inputs name. */
export function drawnBy(inputs: readonly InputSlot[]): ReadonlySet<string> {
  return new Set(inputs.flatMap(({ widget }) => widget ?? []));
}

/** A name for each entry of the list. */
export function namesOf(list: readonly Json[], layout?: readonly WidgetSlot[]): string[] {
  if (layout === undefined) return list.map((_, index) => positionalName(index));
  const now = walk(list, layout, false);
  if (now.length < list.length && layout.some((each) => each.kind === "forced")) {
    const old = walk(list, layout, true);
    if (old.length === list.length) return old;
  }
  return list.map((_, index) => now[index] ?? positionalName(index));
}

function walk(list: readonly Json[], layout: readonly WidgetSlot[], forced: boolean): string[] {
  const names: string[] = [];
  const follow = (slots: readonly WidgetSlot[]) => {
    for (const slot of slots) {
      if (names.length >= list.length) return;
      const value = list[names.length] ?? null;
      if (slot.kind === "forced" && !forced) continue;
      if (slot.kind === "control" && !CONTROLS.has(value)) continue;
      names.push(slot.name);
      follow(nestedSlots(slot, value));
    }
  };
  follow(layout);
  return names;
}

/** The entries of a node with these values, including those that its choices bring. */
export function entriesOf(layout: readonly WidgetSlot[], values: JsonObject): WidgetSlot[] {
  return layout.flatMap((slot) =>
    slot.kind === "forced"
      ? []
      : [slot, ...entriesOf(nestedSlots(slot, values[slot.name] ?? null), values)],
  );
}

/** The entry of this name, at any depth. */
export function slotNamed(layout: readonly WidgetSlot[], name: string): WidgetSlot | undefined {
  return allSlots(layout).find((each) => each.name === name);
}

export function allSlots(layout: readonly WidgetSlot[]): WidgetSlot[] {
  return layout.flatMap((slot) => [
    slot,
    ...Object.values(slot.nested ?? {}).flatMap((each) => allSlots(each)),
  ]);
}

function nestedSlots(slot: WidgetSlot, value: Json): readonly WidgetSlot[] {
  return slot.nested?.[String(value ?? slot.default)] ?? [];
}

/** The name of an entry whose widget is unknown. */
export function positionalName(index: number): string {
  return `#${index}`;
}

export function isPositionalName(name: string): boolean {
  return name.startsWith("#");
}
