/** A wire, and the one that is being pulled: it says why it may not end where the pointer is. */
import { type ConnectionLineComponentProps, type EdgeProps, useStore } from "@xyflow/react";
import { memo } from "react";
import type { Graph, Point } from "../document/graph";
import { refusalOf } from "../state/editing/actions";
import {
  endsOf,
  pathOf,
  svgPen,
  traceLink,
  traceWire,
  type WireShape,
} from "../state/editing/wires";
import { isHidden, useWiring } from "../state/editing/wiring";
import { colourOf } from "../state/nodes/kinds";
import { shows } from "../state/runs/places";
import { useRuns } from "../state/runs/runs";
import { useSetting } from "../state/settings";
import { activeTab, type Tab, useActive, useStudio } from "../state/studio";
import type { FlowEdge, FlowNode } from "./flow";

export const Wire = memo(function Wire(props: EdgeProps<FlowEdge>) {
  const { id, data, selected } = props;
  const link = useActive((tab) => tab.graph.links[id]);
  const through = useActive((tab) => throughText(tab.graph, id));
  // By the document, as painted wires are: what the library measures in the page is never equal.
  const endsAt = useActive((tab) => endsText(tab, id));
  const quiet = useSetting("calotype.quietWires");
  const hidden = useActive((tab) => isHidden(tab, id, quiet));
  const shape = useSetting("calotype.wireShape") as WireShape;
  const lit = useWiring((state) => state.lit.includes(id));
  if (link === undefined || (hidden && !lit)) return null;
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

/** The points of a wire as a text: equal texts need no new drawing. */
function throughText(graph: Graph, key: string): string {
  const link = graph.links[key];
  if (link === undefined || link.reroute === null) return "";
  return pathOf(graph, link)
    .map(({ x, y }) => `${x},${y}`)
    .join(" ");
}

/** The ends of a wire as a text. */
function endsText(tab: Tab, key: string): string {
  const link = tab.graph.links[key];
  if (link === undefined) return "";
  const { shown } = useRuns.getState();
  const { catalog } = useStudio.getState();
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

/** How much room a reason may take up beside the pointer, and how far from it. */
const ROOM = 360;
const ASIDE = 14;

export function PulledWire(props: ConnectionLineComponentProps<FlowNode>) {
  const { fromX, fromY, toX, toY, fromHandle, fromNode } = props;
  const { toHandle, toNode } = props.connectionStatus === null ? { ...EMPTY } : props;
  const catalog = useStudio((state) => state.catalog);
  const node = activeTab().graph.nodes[fromNode.id];
  const schema = catalog[node?.type ?? ""];
  const isOutput = fromHandle.type === "source";
  const type = isOutput
    ? (schema?.outputs[Number(fromHandle.id)]?.type ?? node?.outputs[Number(fromHandle.id)]?.type)
    : (schema?.inputs.find((each) => each.name === fromHandle.id)?.type ??
      node?.inputs.find((each) => each.name === fromHandle.id)?.type);
  const shape = useSetting("calotype.wireShape") as WireShape;
  const zoom = useStore((state) => state.transform[2]);
  const isByEdge = useStore(({ transform, width }) => toX * zoom + transform[0] + ROOM > width);
  const [start, end] = [
    { x: fromX, y: fromY },
    { x: toX, y: toY },
  ];
  const pen = svgPen();
  traceWire(pen, isOutput ? [start, end] : [end, start], shape);
  const path = pen.written();
  const reason =
    props.connectionStatus === "invalid" && toHandle != null && toNode != null
      ? refusalOf(
          isOutput
            ? wire(fromNode.id, fromHandle.id, toNode.id, toHandle.id)
            : wire(toNode.id, toHandle.id, fromNode.id, fromHandle.id),
        )
      : null;
  return (
    <g>
      <path className="pulled" d={path} style={{ stroke: colourOf(type ?? "*") }} />
      {reason !== null && (
        <foreignObject
          transform={`translate(${toX} ${toY}) scale(${1 / zoom})`}
          x={isByEdge ? -ASIDE - ROOM : ASIDE}
          y={10}
          width={ROOM}
          height={80}
          className={isByEdge ? "reason before" : "reason"}
        >
          <span>{reason}</span>
        </foreignObject>
      )}
    </g>
  );
}

const EMPTY = { toHandle: null, toNode: null };

function wire(from: string, slot: string | null | undefined, to: string, input?: string | null) {
  return { from, slot: Number(slot ?? 0), to, input: input ?? "" };
}
