/** The nodes that lie under another, and the wires that run behind one, in a graph as drawn. */
import type { Catalog } from "../src/api/catalog";
import type { Box } from "../src/document/arrange";
import type { Graph, Link, Point } from "../src/document/graph";
import { endsOf, pathOf, traceLink } from "../src/state/editing/wires";
import { cornerOf, shapeFor, showsPictures } from "../src/state/nodes/shape";

const STEPS = 32;
/** How far a wire may reach into a node, in canvas units: its ends are on the edge. */
const TOLERANCE = 1.5;

/** The boxes of the nodes, with the pictures that outputs show after a run. */
export function drawnBoxes(graph: Graph, catalog: Catalog): Map<string, Box> {
  const boxes = new Map<string, Box>();
  for (const key of graph.order) {
    const node = graph.nodes[key];
    if (node === undefined) continue;
    const schema = catalog[node.type];
    const { width, height } = shapeFor(
      node,
      schema,
      showsResult(graph, catalog)(key) || showsPictures(schema),
    );
    boxes.set(key, { ...cornerOf(node), width, height });
  }
  return boxes;
}

function showsResult(graph: Graph, catalog: Catalog): (key: string) => boolean {
  return (key) => catalog[graph.nodes[key]?.type ?? ""]?.is_output === true;
}

/** Points along a wire, close together. */
function sampled(graph: Graph, link: Link, catalog: Catalog): Point[] {
  const ends = endsOf(graph, link, catalog, showsResult(graph, catalog));
  if (ends === null) return [];
  const points: Point[] = [];
  const line = (x: number, y: number) => points.push({ x, y });
  traceLink(
    {
      moveTo: line,
      lineTo: line,
      bezierCurveTo: (ax, ay, bx, by, x, y) => {
        const from = points.at(-1) ?? { x, y };
        for (let step = 1; step <= STEPS; step += 1) {
          const t = step / STEPS;
          const [u, v, w, z] = [(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t ** 2, t ** 3];
          points.push({
            x: u * from.x + v * ax + w * bx + z * x,
            y: u * from.y + v * ay + w * by + z * y,
          });
        }
      },
    },
    link,
    pathOf(graph, link),
    ends,
    "spline",
  );
  return points;
}

function isInside({ x, y }: Point, box: Box): boolean {
  return (
    x > box.x + TOLERANCE &&
    x < box.x + box.width - TOLERANCE &&
    y > box.y + TOLERANCE &&
    y < box.y + box.height - TOLERANCE
  );
}

/** "link behind node" for each wire and each node that it runs behind. */
export function wireHits(graph: Graph, catalog: Catalog): string[] {
  const boxes = drawnBoxes(graph, catalog);
  return graph.linkOrder.flatMap((key) => {
    const link = graph.links[key];
    if (link === undefined) return [];
    const points = sampled(graph, link, catalog);
    return [...boxes].flatMap(([node, box]) =>
      points.some((point) => isInside(point, box)) ? [`${key} behind ${node}`] : [],
    );
  });
}
