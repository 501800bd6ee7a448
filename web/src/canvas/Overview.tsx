/**
 * The graph when zoomed out: painted from the document on one canvas element, whatever the number
 * of nodes.
 */
import { useMemo, useRef } from "react";
import { useSetting } from "../state/session/settings";
import { type Painter, useLayer } from "./layer";
import { useDrawing, useDrawingOptions, useDropMarks, useMarks } from "./looks";
import { cssOf, paintGraph, paintWords } from "./paint";
import { paintDetails } from "./paintDetails";
import { useThumbnails } from "./thumbnails";

export function Overview() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = useDrawing();
  const marks = useMarks();
  const drop = useDropMarks();
  const options = useDrawingOptions();
  const thumbnailOf = useThumbnails();
  const theme = useSetting("calotype.theme");
  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme changes what `cssOf` returns
  const painter = useMemo(
    (): Painter => ({
      count: drawn.boxes.size + drawn.graph.linkOrder.length,
      paint: (context, area, zoom) => {
        if (canvas.current === null) return;
        const css = cssOf(canvas.current);
        paintGraph(context, drawn, { ...marks, ...drop }, css, zoom);
        context.textBaseline = "top";
        const details = { ...options, thumbnailOf };
        const titleLines = paintDetails(context, drawn, details, area, css, zoom);
        paintWords(context, drawn, area, css, zoom, titleLines);
      },
    }),
    [drawn, marks, drop, theme, options, thumbnailOf],
  );
  useLayer(canvas, painter);
  return (
    <canvas
      ref={canvas}
      className="overview"
      aria-hidden
      data-nodes={drawn.boxes.size}
      data-wires={drawn.links.length}
      data-missing={marks.missing.size}
      data-receiving={drop.receiving ?? undefined}
      data-entered={drop.entered === null ? undefined : ""}
    />
  );
}
