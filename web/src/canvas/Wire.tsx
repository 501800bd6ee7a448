/** A wire. `Pulling.tsx` draws the one that is being pulled. */

import type { EdgeProps } from "@xyflow/react";
import { memo } from "react";
import type { Catalog } from "../api/catalog";
import type { Graph, Point } from "../document/graph";
import { isDetached, usePulling } from "../state/editing/pull";
import { endsOf, pathOf, svgPen, traceLink, type WireShape } from "../state/editing/wires";
import { isHidden, useWiring } from "../state/editing/wiring";
import { colourOf } from "../state/nodes/kinds";
import { shows } from "../state/outcomes/places";
import { useRuns } from "../state/outcomes/runs";
import { useCatalog, useGesture, useTab } from "../state/session/editor";
import { useSetting } from "../state/session/settings";
import type { Tab } from "../state/session/studio";
import type { FlowEdge } from "./flow";

export const Wire = memo(function Wire(props: EdgeProps<FlowEdge>) {
  const { id, data, selected } = props;
  const link = useTab((tab) => tab.graph.links[id]);
  const through = useTab((tab) => throughText(tab.graph, id));
  // From the document, as for painted wires: what React Flow measures in the page differs each
  // time.
  const catalog = useCatalog();
  const endsAt = useTab((tab) => endsText(tab, catalog, id));
  const quiet = useSetting("calotype.quietWires");
  const hidden = useTab((tab) => isHidden(tab, id, quiet));
  const shape = useSetting("calotype.wireShape") as WireShape;
  const lit = useGesture(useWiring, (state) => state.lit.includes(id), false);
  const detached = useGesture(usePulling, (state) => isDetached(state, id), false);
  if (link === undefined || detached || (hidden && !lit)) return null;
  const open = selected || lit;
  const [source, target] = placesIn(endsAt);
  if (source === undefined || target === undefined) return null;
  const ends = { source, target };
  const pen = svgPen();
  traceLink(pen, link, placesIn(through), ends, shape, open);
  const path = pen.written();
  const classes = [
    "wire",
    selected ? "selected" : "",
    data?.muted ? "muted" : "",
    link.portal !== null && open ? "portal" : "",
  ];
  return (
    <g className={classes.filter(Boolean).join(" ")}>
      <path className="react-flow__edge-interaction" d={path} />
      <path className="wire-edge" d={path} />
      <path
        className="react-flow__edge-path"
        d={path}
        style={{ stroke: colourOf(data?.type ?? "*") }}
      />
    </g>
  );
});

/** The points of a wire as text, so that equal points cause no new render. */
function throughText(graph: Graph, key: string): string {
  const link = graph.links[key];
  if (link === undefined || link.reroute === null) return "";
  return pathOf(graph, link)
    .map(({ x, y }) => `${x},${y}`)
    .join(" ");
}

/** The ends of a wire as a text. */
function endsText(tab: Tab, catalog: Catalog, key: string): string {
  const link = tab.graph.links[key];
  if (link === undefined) return "";
  const { shown } = useRuns.getState();
  const ends = endsOf(tab.graph, link, catalog, (node) => shows(tab, shown, node));
  if (ends === null) return "";
  const { source, target } = ends;
  return `${source.x},${source.y} ${target.x},${target.y}`;
}

function placesIn(text: string): Point[] {
  if (text === "") return [];
  return text.split(" ").map((each) => {
    const [x = 0, y = 0] = each.split(",").map(Number);
    return { x, y };
  });
}
