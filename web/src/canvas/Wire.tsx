/** A wire, and the one that is being pulled: it says why it may not end where the pointer is. */
import { type ConnectionLineComponentProps, type EdgeProps, getBezierPath } from "@xyflow/react";
import { memo } from "react";
import { refusalOf } from "../state/actions";
import { colourOf } from "../state/kinds";
import { activeTab, useStudio } from "../state/studio";
import type { FlowEdge, FlowNode } from "./flow";

export const Wire = memo(function Wire(props: EdgeProps<FlowEdge>) {
  const { id, sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition } = props;
  const { data, selected } = props;
  const through = reroutesOf(id);
  const path =
    through.length === 0
      ? getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition })[0]
      : pathThrough([{ x: sourceX, y: sourceY }, ...through, { x: targetX, y: targetY }]);
  const classes = ["wire", selected ? "selected" : "", data?.muted ? "muted" : ""];
  return (
    <g className={classes.filter(Boolean).join(" ")}>
      <path className="react-flow__edge-interaction" d={path} />
      <path className="wire-edge" d={path} />
      <path
        className="react-flow__edge-path"
        d={path}
        style={{ stroke: colourOf(data?.type ?? "*") }}
      />
      {through.map(({ x, y }) => (
        <circle key={`${x} ${y}`} cx={x} cy={y} r={4} fill={colourOf(data?.type ?? "*")} />
      ))}
    </g>
  );
});

type Place = { x: number; y: number };

/** The points a link runs through, from its source on. */
function reroutesOf(key: string): Place[] {
  const { links, reroutes } = activeTab().graph;
  const points: Place[] = [];
  const seen = new Set<string>();
  for (let at = links[key]?.reroute ?? null; at !== null && !seen.has(at); ) {
    seen.add(at);
    const reroute = reroutes[at];
    if (reroute === undefined) break;
    points.unshift(reroute.position);
    at = reroute.parent;
  }
  return points;
}

function pathThrough(points: readonly Place[]): string {
  return points
    .map(({ x, y }, index) => {
      const before = points[index - 1];
      if (before === undefined) return `M${x},${y}`;
      const bend = Math.max(Math.abs(x - before.x) / 2, 16);
      return `C${before.x + bend},${before.y} ${x - bend},${y} ${x},${y}`;
    })
    .join(" ");
}

export function PulledWire(props: ConnectionLineComponentProps<FlowNode>) {
  const { fromX, fromY, toX, toY, fromPosition, toPosition, fromHandle, fromNode } = props;
  const { toHandle, toNode } = props.connectionStatus === null ? { ...EMPTY } : props;
  const catalog = useStudio((state) => state.catalog);
  const node = activeTab().graph.nodes[fromNode.id];
  const schema = catalog[node?.type ?? ""];
  const isOutput = fromHandle.type === "source";
  const type = isOutput
    ? (schema?.outputs[Number(fromHandle.id)]?.type ?? node?.outputs[Number(fromHandle.id)]?.type)
    : (schema?.inputs.find((each) => each.name === fromHandle.id)?.type ??
      node?.inputs.find((each) => each.name === fromHandle.id)?.type);
  const [path] = getBezierPath({
    sourceX: fromX,
    sourceY: fromY,
    targetX: toX,
    targetY: toY,
    sourcePosition: fromPosition,
    targetPosition: toPosition,
  });
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
        <foreignObject x={toX + 14} y={toY + 10} width={320} height={60} className="reason">
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
