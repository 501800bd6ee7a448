/** The inputs of the overview, the minimap and painted wires, from the document that is shown. */

import { useMemo } from "react";
import { useArranging } from "../state/editing/arranging";
import { usePulling } from "../state/editing/pull";
import type { WireShape } from "../state/editing/wires";
import { useWiring } from "../state/editing/wiring";
import { foldingOf } from "../state/nodes/folding";
import { missingIn } from "../state/nodes/missing";
import { placeHere } from "../state/outcomes/places";
import { useRuns } from "../state/outcomes/runs";
import { useCatalog, useGesture, useTab } from "../state/session/editor";
import { useSetting } from "../state/session/settings";
import { promptIdOf } from "../state/session/studio";
import { FOLD_PREFIX } from "./flow";
import { type Drawing, type DrawingOptions, drawingOf, type Marks, wiresOf } from "./paint";

const NO_LINKS: readonly string[] = [];
const NONE: ReadonlySet<string> = new Set();

export function useDrawingOptions(): DrawingOptions {
  const catalog = useCatalog();
  const shape = useSetting("calotype.wireShape") as WireShape;
  const start = useTab((tab) => placeHere(tab, ""));
  const showing = useRuns((state) => textOfKeys(state.shown, start));
  return useMemo(() => {
    const keys = keysIn(showing);
    return { catalog, shape, shows: (key) => keys.has(key) };
  }, [catalog, shape, showing]);
}

export function useDrawing(): Drawing {
  const graph = useTab((tab) => tab.graph);
  const options = useDrawingOptions();
  const detached = useGesture(
    usePulling,
    (state) => state.pull?.detached?.links ?? NO_LINKS,
    NO_LINKS,
  );
  return useMemo(() => drawingOf(graph, options, detached), [graph, options, detached]);
}

export function useMarks(): Marks {
  const tab = useTab((each) => each.id);
  const start = useTab((each) => placeHere(each, ""));
  const inner = useTab((each) => promptIdOf(each, ""));
  const selected = useTab((each) => each.selected);
  const running = useRuns((state) =>
    textOfKeys(state.nodes, start, (run) => run.state === "running"),
  );
  const failed = useRuns((state) => textOfKeys(state.failures, start));
  const missing = useMissing();
  const withProblems = useRuns((state) =>
    textOfKeys(state.problems[tab]?.node_errors ?? {}, inner),
  );
  return useMemo(
    () => ({
      selected,
      running: keysIn(running),
      missing,
      // The hatching says enough of nodes that are missing.
      wrong: new Set(
        [...keysIn(failed), ...keysIn(withProblems)].filter((key) => !missing.has(key)),
      ),
    }),
    [selected, running, failed, withProblems, missing],
  );
}

/** The boxes of this level in which a class is missing: nodes, and folded frames around them. */
function useMissing(): ReadonlySet<string> {
  const graph = useTab((tab) => tab.graph);
  const definitions = useTab((tab) => tab.workflow.definitions);
  const catalog = useCatalog();
  return useMemo(() => {
    const { hidden } = foldingOf(graph);
    const keys = missingIn(graph, catalog, definitions).map((key) => {
      const fold = hidden.get(key);
      return fold === undefined ? key : FOLD_PREFIX + fold;
    });
    return new Set(keys);
  }, [graph, definitions, catalog]);
}

/** The marks of what a drop of the dragged nodes would do. */
export function useDropMarks(): Pick<Marks, "receiving" | "entered"> {
  const receiving = useGesture(useArranging, (state) => state.receiving, null);
  const over = useGesture(useWiring, (state) => state.over, null);
  const graph = useTab((tab) => tab.graph);
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
