/**
 * The geometry of wires, for drawing and hit testing: SVG lines, painted ones, the overview. Pure
 * functions of the document.
 */
import type { Catalog } from "../../api/catalog";
import type { Graph, GraphNode, Link, Point } from "../../document/graph";
import { pointsOf } from "../../document/reroute";
import { foldedEnds } from "../nodes/folding";
import type { Shape } from "../nodes/rows";
import { cornerOf, shapeFor, showsPictures, WIDGET } from "../nodes/shape";

export type WireShape = "spline" | "straight" | "orthogonal";

/** A `Path2D`, a canvas context, or a writer of SVG paths. */
interface Pen {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  bezierCurveTo(ax: number, ay: number, bx: number, by: number, x: number, y: number): void;
}

export interface Ends {
  source: Point;
  target: Point;
}

/** The length of a named wire's line at each socket, in canvas units. */
export const STUB = 18;
const CURVATURE = 0.25;
const CORNER = 8;
const LEAD = 16;

/** The reroute points of a link between its ends, from the source on. */
export function pathOf(graph: Graph, link: Link): Point[] {
  return link.reroute === null ? [] : pointsOf(graph, link).map((each) => each.position);
}

/**
 * Draws a link through its points (`pathOf`): the whole line, or two stubs for a named wire that is
 * not `open`.
 */
export function traceLink(
  pen: Pen,
  link: Link,
  through: readonly Point[],
  { source, target }: Ends,
  shape: WireShape,
  open = false,
): void {
  if (link.portal === null || open) {
    traceWire(pen, [source, ...through, target], shape);
    return;
  }
  pen.moveTo(source.x, source.y);
  pen.lineTo(source.x + STUB, source.y);
  pen.moveTo(target.x - STUB, target.y);
  pen.lineTo(target.x, target.y);
}

/** Draws a line that leaves its first point to the right and reaches its last from the left. */
export function traceWire(pen: Pen, points: readonly Point[], shape: WireShape): void {
  const [first] = points;
  if (first === undefined) return;
  pen.moveTo(first.x, first.y);
  if (shape === "straight") for (const { x, y } of points.slice(1)) pen.lineTo(x, y);
  else if (shape === "orthogonal") traceRounded(pen, cornersOf(points), points);
  else traceSpline(pen, points);
}

function traceSpline(pen: Pen, points: readonly Point[]): void {
  const tangents = points.map((point, index) => {
    const [before, after] = [points[index - 1], points[index + 1]];
    if (before === undefined || after === undefined) return { x: 1, y: 0 };
    const along = { x: after.x - before.x, y: after.y - before.y };
    const length = Math.hypot(along.x, along.y) || 1;
    return point === undefined ? along : { x: along.x / length, y: along.y / length };
  });
  for (let index = 1; index < points.length; index += 1) {
    const [a, b] = [points[index - 1], points[index]];
    const [out, into] = [tangents[index - 1], tangents[index]];
    if (!(a && b && out && into)) continue;
    const distance = Math.hypot(b.x - a.x, b.y - a.y);
    const startBend = index === 1 ? bendOf(b.x - a.x, distance, points.length) : distance / 3;
    const endBend =
      index === points.length - 1 ? bendOf(b.x - a.x, distance, points.length) : distance / 3;
    pen.bezierCurveTo(
      a.x + out.x * startBend,
      a.y + out.y * startBend,
      b.x - into.x * endBend,
      b.y - into.y * endBend,
      b.x,
      b.y,
    );
  }
}

/** The length of a curve's straight start at a socket. */
function bendOf(ahead: number, distance: number, points: number): number {
  if (points > 2) return Math.min(distance / 2, Math.max(LEAD, Math.abs(ahead) / 2));
  return ahead >= 0 ? ahead / 2 : CURVATURE * 25 * Math.sqrt(-ahead);
}

/** The corners of a line of horizontal and vertical segments. */
function cornersOf(points: readonly Point[]): Point[] {
  const corners: Point[] = points.slice(0, 1);
  for (let index = 1; index < points.length; index += 1) {
    const [a, b] = [points[index - 1], points[index]];
    if (a === undefined || b === undefined) continue;
    if (b.x >= a.x + 2 * LEAD || points.length > 2) {
      const middle = (a.x + b.x) / 2;
      corners.push({ x: middle, y: a.y }, { x: middle, y: b.y });
    } else {
      const middle = (a.y + b.y) / 2;
      corners.push({ x: a.x + LEAD, y: a.y }, { x: a.x + LEAD, y: middle });
      corners.push({ x: b.x - LEAD, y: middle }, { x: b.x - LEAD, y: b.y });
    }
    corners.push(b);
  }
  return corners;
}

/** Draws the corners rounded, except those in `sharp`. */
function traceRounded(pen: Pen, corners: readonly Point[], sharp: readonly Point[]): void {
  for (let index = 1; index < corners.length; index += 1) {
    const [a, b, c] = [corners[index - 1], corners[index], corners[index + 1]];
    if (a === undefined || b === undefined) continue;
    const before = Math.hypot(b.x - a.x, b.y - a.y);
    const after = c === undefined ? 0 : Math.hypot(c.x - b.x, c.y - b.y);
    const radius = Math.min(CORNER, before / 2, after / 2);
    if (c === undefined || radius < 1 || sharp.includes(b)) {
      pen.lineTo(b.x, b.y);
      continue;
    }
    const into = {
      x: b.x - ((b.x - a.x) / before) * radius,
      y: b.y - ((b.y - a.y) / before) * radius,
    };
    const out = {
      x: b.x + ((c.x - b.x) / after) * radius,
      y: b.y + ((c.y - b.y) / after) * radius,
    };
    pen.lineTo(into.x, into.y);
    pen.bezierCurveTo(
      (into.x + b.x) / 2,
      (into.y + b.y) / 2,
      (out.x + b.x) / 2,
      (out.y + b.y) / 2,
      out.x,
      out.y,
    );
  }
}

/** A pen that writes the `d` attribute of an SVG path. */
export function svgPen(): Pen & { written(): string } {
  const parts: string[] = [];
  const at = (...numbers: number[]) => numbers.map((each) => Math.round(each * 10) / 10).join(" ");
  return {
    moveTo: (x, y) => parts.push(`M${at(x, y)}`),
    lineTo: (x, y) => parts.push(`L${at(x, y)}`),
    bezierCurveTo: (...numbers) => parts.push(`C${at(...numbers)}`),
    written: () => parts.join(""),
  };
}

const STEPS = 12;

/** A pen that approximates the line by short straight segments. */
function flatPen(): Pen & { points: Point[] } {
  const points: Point[] = [];
  return {
    points,
    moveTo: (x, y) => points.push({ x, y }),
    lineTo: (x, y) => points.push({ x, y }),
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
  };
}

/** The distance of a place to a line, and the number of inner points before the nearest segment. */
export function nearness(points: readonly Point[], shape: WireShape, place: Point) {
  let [distance, after] = [Number.POSITIVE_INFINITY, 0];
  const whole = flatPen();
  traceWire(whole, points, shape);
  let passed = 0;
  for (let index = 1; index < whole.points.length; index += 1) {
    const [a, b] = [whole.points[index - 1], whole.points[index]];
    if (a === undefined || b === undefined) continue;
    const away = awayFrom(a, b, place);
    if (away < distance) [distance, after] = [away, passed];
    const next = points[passed + 1];
    if (next !== undefined && Math.hypot(b.x - next.x, b.y - next.y) < 0.01) passed += 1;
  }
  return { distance, after: Math.min(after, Math.max(points.length - 2, 0)) };
}

function awayFrom(a: Point, b: Point, place: Point): number {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : ((place.x - a.x) * dx + (place.y - a.y) * dy) / length;
  const t = Math.max(0, Math.min(1, along));
  return Math.hypot(place.x - a.x - t * dx, place.y - a.y - t * dy);
}

/** The positions of a link's two sockets; `shows` are the nodes that show results. */
export function endsOf(
  graph: Graph,
  link: Link,
  catalog: Catalog,
  shows: (key: string) => boolean = () => false,
): Ends | null {
  const [from, to] = [graph.nodes[link.from], graph.nodes[link.to]];
  const input = to?.inputs[link.toSlot]?.name;
  const folded = foldedEnds(graph, link);
  if (from === undefined || to === undefined || input === undefined || folded.within) return null;
  const [out, into] = [shapeOfNode(from, catalog, shows), shapeOfNode(to, catalog, shows)];
  const row = out.outputs[link.fromSlot];
  const socket = into.inputs.find((each) => each.id === input);
  const widget = into.widgets.find((each) => each.input.name === input);
  const y = socket?.y ?? (widget === undefined ? undefined : widget.y + WIDGET / 2);
  if (row === undefined || y === undefined) return null;
  const [start, end] = [cornerOf(from), cornerOf(to)];
  return {
    source: folded.source?.at ?? { x: start.x + out.width, y: start.y + row.y },
    target: folded.target?.at ?? { x: end.x, y: end.y + y },
  };
}

function shapeOfNode(node: GraphNode, catalog: Catalog, shows: (key: string) => boolean): Shape {
  const schema = catalog[node.type];
  return shapeFor(node, schema, showsPictures(schema) || shows(node.key));
}
