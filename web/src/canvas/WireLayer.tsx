/**
 * Wires painted on one canvas element, when there are too many for elements; the caller says which.
 */

import { useMemo, useRef } from "react";
import { type Box, overlaps } from "../document/arrange";
import type { Graph, Link } from "../document/graph";
import { usePulling } from "../state/editing/pull";
import { isHidden } from "../state/editing/wiring";
import { foldingOf } from "../state/nodes/folding";
import { useGesture, useTab } from "../state/session/editor";
import { useSetting } from "../state/session/settings";
import type { FlowEdge } from "./flow";
import { type Painter, useLayer } from "./layer";
import { useDrawingOptions } from "./looks";
import { cssOf, wiresOf } from "./paint";

interface Props {
  edges: readonly FlowEdge[];
  painted: ReadonlySet<string>;
}

const SOLID: number[] = [];
const BROKEN = [6, 5];

export function WireLayer({ edges, painted }: Props) {
  const element = useRef<HTMLCanvasElement>(null);
  const tab = useTab((each) => each);
  const options = useDrawingOptions();
  const quiet = useSetting("calotype.quietWires");
  const theme = useSetting("calotype.theme");
  const detached = useGesture(usePulling, (state) => state.pull?.detached ?? null, null);
  const { graph } = tab;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the selection decides which wires are hidden; the theme changes what `cssOf` returns
  const painter = useMemo((): Painter => {
    const drawn = edges.filter(
      ({ id }) => painted.has(id) && !isHidden(tab, id, quiet) && !detached?.links.includes(id),
    );
    const [plain, muted] = [false, true].map((isMuted) =>
      drawn.filter(({ data }) => data?.muted === isMuted).map(({ id }) => id),
    );
    return {
      count: painted.size,
      paint: (context, area) => {
        if (element.current === null) return;
        const css = cssOf(element.current);
        for (const [keys = [], alpha] of [
          [plain, 1],
          [muted, 0.45],
        ] as const) {
          const wires = wiresOf(graph, within(graph, keys, area), options);
          context.globalAlpha = alpha;
          context.lineWidth = 5;
          context.strokeStyle = css("var(--canvas)");
          context.setLineDash(SOLID);
          for (const path of wires.values()) context.stroke(path);
          context.lineWidth = 2;
          // Wires that carry nothing are dashed, as in canvas.css.
          context.setLineDash(keys === muted ? BROKEN : SOLID);
          for (const [colour, path] of wires) {
            context.strokeStyle = css(colour);
            context.stroke(path);
          }
        }
        context.setLineDash(SOLID);
        context.globalAlpha = 1;
      },
    };
  }, [graph, edges, painted, options, quiet, tab.selected, theme, detached]);
  useLayer(element, painter);
  return <canvas ref={element} className="wire-layer" aria-hidden data-wires={painted.size} />;
}

/** How far a curve may extend beyond its ends. */
const OUTSIDE_MARGIN = 260;

function within(graph: Graph, keys: readonly string[], area: Box): string[] {
  const isFolded = foldingOf(graph).folds.length > 0;
  return keys.filter((key) => {
    const link = graph.links[key];
    const reach = link && reachOf(graph, link);
    if (reach == null) return false;
    // Reroute points and folded frames can lead a wire anywhere.
    return isFolded || link?.reroute !== null || overlaps(reach, area);
  });
}

function reachOf(graph: Graph, link: Link): Box | null {
  const [from, to] = [graph.nodes[link.from], graph.nodes[link.to]];
  if (from === undefined || to === undefined) return null;
  const start = from.position.x + from.size.width;
  const [left, right] = [Math.min(start, to.position.x), Math.max(start, to.position.x)];
  const top = Math.min(from.position.y, to.position.y);
  const bottom = Math.max(from.position.y + from.size.height, to.position.y + to.size.height);
  return {
    x: left - OUTSIDE_MARGIN,
    y: top - OUTSIDE_MARGIN,
    width: right - left + 2 * OUTSIDE_MARGIN,
    height: bottom - top + 2 * OUTSIDE_MARGIN,
  };
}
