/** The state of wires on the screen: highlighted, hovered, hidden, selected. */
import { create } from "zustand";
import type { Point } from "../../document/graph";
import type { Tab } from "../session/studio";

interface WireMenu {
  link: string;
  /** The menu's position on the screen, and in graph coordinates. */
  screen: Point;
  at: Point;
}

interface Wiring {
  /** Named wires whose line is shown because the pointer is on one of their tags. */
  lit: readonly string[];
  /** The wire that a dragged node would be inserted into. */
  over: string | null;
  /** The selected reroute points. */
  points: readonly string[];
  menu: WireMenu | null;
  /** The named wire whose name is being edited. */
  naming: string | null;
}

export const useWiring = create<Wiring>(() => ({
  lit: [],
  over: null,
  points: [],
  menu: null,
  naming: null,
}));

/** Whether a wire is hidden because only wires of the selection are shown. */
export function isHidden(tab: Tab, key: string, quiet: boolean): boolean {
  if (!quiet) return false;
  const link = tab.graph.links[key];
  if (link === undefined || tab.selectedLinks.includes(key)) return false;
  return !tab.selected.includes(link.from) && !tab.selected.includes(link.to);
}
