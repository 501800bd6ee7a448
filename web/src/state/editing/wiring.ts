/** What the screen shows of wires beside the document: which are lit, pointed at, hidden, chosen. */
import { create } from "zustand";
import type { Point } from "../../document/graph";
import type { Tab } from "../studio";

interface WireMenu {
  link: string;
  /** On the screen, and in the graph. */
  screen: Point;
  at: Point;
}

interface Wiring {
  /** Wires whose path is shown although they are named ones: the pointer is on a tag of theirs. */
  lit: readonly string[];
  /** The wire that a node would be put into if it were dropped now. */
  over: string | null;
  /** The reroute points that are selected. */
  points: readonly string[];
  menu: WireMenu | null;
  /** The named wire whose name is being typed. */
  naming: string | null;
}

export const useWiring = create<Wiring>(() => ({
  lit: [],
  over: null,
  points: [],
  menu: null,
  naming: null,
}));

/** Whether a wire's line is not drawn because only those of the selection are. */
export function isHidden(tab: Tab, key: string, quiet: boolean): boolean {
  if (!quiet) return false;
  const link = tab.graph.links[key];
  if (link === undefined || tab.selectedLinks.includes(key)) return false;
  return !tab.selected.includes(link.from) && !tab.selected.includes(link.to);
}
