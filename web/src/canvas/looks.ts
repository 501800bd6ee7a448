/** The inputs of the overview, the minimap and painted wires, from the document that is shown. */
import { useMemo } from "react";
import { useArranging } from "../state/editing/arranging";
import { usePulling } from "../state/editing/pull";
import type { WireShape } from "../state/editing/wires";
import { useWiring } from "../state/editing/wiring";
import { placeHere } from "../state/runs/places";
import { useRuns } from "../state/runs/runs";
import { useSetting } from "../state/settings";
import { promptIdOf, useActive, useStudio } from "../state/studio";
import { type Drawing, type DrawingOptions, drawingOf, type Marks, wiresOf } from "./paint";

const NO_LINKS: readonly string[] = [];
const NONE: ReadonlySet<string> = new Set();

export function useDrawingOptions(): DrawingOptions {
  const catalog = useStudio((state) => state.catalog);
  const shape = useSetting("calotype.wireShape") as WireShape;
  const start = useActive((tab) => placeHere(tab, ""));
  const showing = useRuns((state) => textOfKeys(state.shown, start));
  return useMemo(() => {
    const keys = keysIn(showing);
    return { catalog, shape, shows: (key) => keys.has(key) };
  }, [catalog, shape, showing]);
}

export function useDrawing(): Drawing {
  const graph = useActive((tab) => tab.graph);
  const options = useDrawingOptions();
  const detached = usePulling((state) => state.pull?.detached?.links ?? NO_LINKS);
  return useMemo(() => drawingOf(graph, options, detached), [graph, options, detached]);
}

export function useMarks(): Marks {
  const tab = useActive((each) => each.id);
  const start = useActive((each) => placeHere(each, ""));
  const inner = useActive((each) => promptIdOf(each, ""));
  const selected = useActive((each) => each.selected);
  const running = useRuns((state) =>
    textOfKeys(state.nodes, start, (run) => run.state === "running"),
  );
  const failed = useRuns((state) => textOfKeys(state.failures, start));
  const withProblems = useRuns((state) =>
    textOfKeys(state.problems[tab]?.node_errors ?? {}, inner),
  );
  return useMemo(
    () => ({
      selected,
      running: keysIn(running),
      wrong: new Set([...keysIn(failed), ...keysIn(withProblems)]),
    }),
    [selected, running, failed, withProblems],
  );
}

/** The marks of what a drop of the dragged nodes would do. */
export function useDropMarks(): Pick<Marks, "receiving" | "entered"> {
  const receiving = useArranging((state) => state.receiving);
  const over = useWiring((state) => state.over);
  const graph = useActive((tab) => tab.graph);
  const options = useDrawingOptions();
  return useMemo(() => {
    const [entered = null] = over === null ? [] : wiresOf(graph, [over], options).values();
    return { receiving, entered };
  }, [receiving, over, graph, options]);
}

/**
 * The nodes of this level that have entries, or contain nodes with entries, as text: equal texts
 * cause no new paint.
 */
function textOfKeys<Value>(
  entries: Readonly<Record<string, Value>>,
  start: string,
  fits: (value: Value) => boolean = () => true,
): string {
  const keys: string[] = [];
  for (const [place, value] of Object.entries(entries)) {
    if (place.startsWith(start) && fits(value)) keys.push(place.slice(start.length));
  }
  return keys.map((each) => each.split(":", 1)[0] ?? "").join("\n");
}

function keysIn(text: string): ReadonlySet<string> {
  return text === "" ? NONE : new Set(text.split("\n"));
}
