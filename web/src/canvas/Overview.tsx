/** The graph from far: painted from the document on one canvas, however many nodes there are. */
import { useMemo, useRef } from "react";
import type { Point } from "../document/graph";
import { foldingOf } from "../state/folding";
import { shows } from "../state/places";
import { useRuns } from "../state/runs";
import { useSetting } from "../state/settings";
import { cornerOf, shapeFor, showsPictures } from "../state/shape";
import { activeTab, schemaOf } from "../state/studio";
import { type Painter, useLayer } from "./layer";
import { useDrawing, useMarks } from "./looks";
import { cssOf, paintGraph, paintWords } from "./paint";

/** The topmost node at a place of the graph. */
export function nodeAt({ x, y }: Point): string | null {
  const tab = activeTab();
  const { shown } = useRuns.getState();
  const { hidden } = foldingOf(tab.graph);
  const found = tab.graph.order.findLast((key) => {
    const node = tab.graph.nodes[key];
    if (node === undefined || hidden.has(key)) return false;
    const corner = cornerOf(node);
    if (x < corner.x || y < corner.y) return false;
    const schema = schemaOf(node.type);
    const shape = shapeFor(node, schema, showsPictures(schema) || shows(tab, shown, key));
    return x <= corner.x + shape.width && y <= corner.y + shape.height;
  });
  return found ?? null;
}

export function Overview() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = useDrawing();
  const marks = useMarks();
  const theme = useSetting("calotype.theme");
  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme changes what `cssOf` answers
  const painter = useMemo(
    (): Painter => ({
      count: drawn.boxes.size + drawn.graph.linkOrder.length,
      paint: (context, area, zoom) => {
        if (canvas.current === null) return;
        const css = cssOf(canvas.current);
        paintGraph(context, drawn, marks, css, zoom);
        paintWords(context, drawn, area, css, zoom);
      },
    }),
    [drawn, marks, theme],
  );
  useLayer(canvas, painter);
  return (
    <canvas
      ref={canvas}
      className="overview"
      aria-hidden
      data-nodes={drawn.boxes.size}
      data-wires={drawn.links.length}
    />
  );
}
