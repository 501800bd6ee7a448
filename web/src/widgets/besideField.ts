/** The place of a menu that a field opens. */

/** In screen coordinates. Where there is no room below, the menu ends at `above` instead. */
export interface MenuPlace {
  x: number;
  y: number;
  above?: number;
}

const GAP = 4;

/** Below a field, else above it. */
export function besideField(field: HTMLElement): MenuPlace {
  const { left, top, bottom } = field.getBoundingClientRect();
  return { x: left, y: bottom + GAP, above: top - GAP };
}
