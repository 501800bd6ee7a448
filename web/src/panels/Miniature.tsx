/** A workflow as a thumbnail: its nodes and wires, too small to read. */
import { useMemo } from "react";
import type { Catalog } from "../api/catalog";
import type { GraphNode, Workflow } from "../document/graph";
import { titleOf } from "../state/nodes/naming";
import { catalogWith } from "../state/nodes/subgraphSchema";
import { useStudio } from "../state/session/studio";
import { t } from "../words/words";

const MARGIN = 40;
const SMALLEST = 400;

export function Miniature({ workflow }: { workflow: Workflow }) {
  const catalog = useStudio((state) => state.catalog);
  const { box, nodes, wires } = useMemo(() => drawn(workflow, catalog), [workflow, catalog]);
  const count = nodes.length;
  return (
    <svg
      className="miniature"
      viewBox={box}
      role="img"
      aria-label={t("{{count}} nodes", { count })}
    >
      {wires.map(({ key, path }) => (
        <path key={key} d={path} fill="none" stroke="var(--dim)" strokeWidth={4} opacity={0.5} />
      ))}
      {nodes.map(({ key, position, size, name }) => (
        <g key={key}>
          <rect
            x={position.x}
            y={position.y}
            width={size.width}
            height={Math.max(size.height, 40)}
            rx={8}
            fill="var(--node)"
            stroke="var(--line)"
            strokeWidth={3}
          />
          <text x={position.x + 14} y={position.y + 30} fontSize={24} fill="var(--dim)">
            {cut(name, Math.max(3, Math.floor(size.width / 16)))}
          </text>
        </g>
      ))}
    </svg>
  );
}

function cut(name: string, letters: number): string {
  return name.length > letters ? `${name.slice(0, letters - 1)}…` : name;
}

function drawn(graph: Workflow, known: Catalog) {
  // Its subgraphs are its own, whatever document is open.
  const catalog = catalogWith(graph, known);
  const nodes = Object.values(graph.nodes).map((node) => ({
    ...node,
    name: titleOf(node, catalog[node.type]),
  }));
  const left = Math.min(...nodes.map((each) => each.position.x), Number.POSITIVE_INFINITY);
  const top = Math.min(...nodes.map((each) => each.position.y), Number.POSITIVE_INFINITY);
  const right = Math.max(...nodes.map(({ position, size }) => position.x + size.width));
  const bottom = Math.max(...nodes.map(({ position, size }) => position.y + size.height));
  const wires = Object.values(graph.links).flatMap(({ key, from, to }) => {
    const [source, target] = [graph.nodes[from], graph.nodes[to]];
    return source && target ? [{ key, path: curve(source, target) }] : [];
  });
  if (nodes.length === 0) return { box: "0 0 1 1", nodes, wires };
  const width = Math.max(SMALLEST, right - left + 2 * MARGIN);
  const height = Math.max(SMALLEST / 2, bottom - top + 2 * MARGIN);
  return { box: `${left - MARGIN} ${top - MARGIN} ${width} ${height}`, nodes, wires };
}

function curve(source: GraphNode, target: GraphNode): string {
  const from = { x: source.position.x + source.size.width, y: source.position.y + 20 };
  const to = { x: target.position.x, y: target.position.y + 20 };
  const bend = Math.max(60, Math.abs(to.x - from.x) / 2);
  return `M${from.x},${from.y} C${from.x + bend},${from.y} ${to.x - bend},${to.y} ${to.x},${to.y}`;
}
