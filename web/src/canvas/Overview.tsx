/** The graph from far: painted from the document on one canvas, however many nodes there are. */
import { useStore } from "@xyflow/react";
import { useEffect, useRef } from "react";
import type { Catalog } from "../api/catalog";
import type { Graph, GraphNode, Point } from "../document/graph";
import { colourOf } from "../state/kinds";
import { isInstance, placeHere, problemsAt, runAt } from "../state/places";
import { useRuns } from "../state/runs";
import { setting, useSetting } from "../state/settings";
import { outputType, shapeOf, TITLE } from "../state/shape";
import { activeTab, promptIdOf, titleOf, useActive, useStudio } from "../state/studio";
import { pathOf, traceLink, type WireShape } from "../state/wires";

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

function boxOf(node: GraphNode): Box {
  const { catalog } = useStudio.getState();
  const { width, height } = shapeOf(node, catalog[node.type], false);
  return { x: node.position.x, y: node.position.y - TITLE, width, height };
}

/** The topmost node at a place of the graph. */
export function nodeAt({ x, y }: Point): string | null {
  const { graph } = activeTab();
  const found = graph.order.findLast((key) => {
    const node = graph.nodes[key];
    if (node === undefined) return false;
    const box = boxOf(node);
    return x >= box.x && y >= box.y && x <= box.x + box.width && y <= box.y + box.height;
  });
  return found ?? null;
}

export function Overview() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [x, y, zoom] = useStore((state) => state.transform);
  const width = useStore((state) => state.width);
  const height = useStore((state) => state.height);
  const tab = useActive((each) => each);
  const runs = useRuns((state) => state.nodes);
  const report = useRuns((state) => state.problems[tab.id]);
  const theme = useSetting("calotype.theme");

  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme changes what `css` answers
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (canvas.current === null || context == null) return;
    const density = window.devicePixelRatio;
    canvas.current.width = width * density;
    canvas.current.height = height * density;
    context.setTransform(zoom * density, 0, 0, zoom * density, x * density, y * density);
    const style = getComputedStyle(canvas.current);
    const css = remembered((colour) => resolved(colour, style));
    const drawn = drawingOf(tab.graph);
    paint(context, drawn, css, zoom);
    for (const [key, box] of drawn.boxes) {
      const run = runAt(runs, placeHere(tab, key), isInstance(tab, key))?.state;
      const isWrong = problemsAt(report, promptIdOf(tab, key), isInstance(tab, key)) !== undefined;
      if (isWrong) outline(context, box, css("var(--error)"), zoom);
      else if (run === "running" || tab.selected.includes(key)) {
        outline(context, box, css("var(--accent)"), zoom);
      }
    }
    const view: Box = { x: -x / zoom, y: -y / zoom, width: width / zoom, height: height / zoom };
    paintTitles(context, tab.graph, drawn, view, css, zoom);
  }, [x, y, zoom, width, height, tab, runs, report, theme]);

  return (
    <canvas
      ref={canvas}
      data-nodes={tab.graph.order.length}
      className="overview"
      style={{ width, height }}
    />
  );
}

/** Asks once for each colour: the browser's answer costs more than the painting. */
function remembered(ask: (colour: string) => string): (colour: string) => string {
  const known = new Map<string, string>();
  return (colour) => {
    const found = known.get(colour) ?? ask(colour);
    known.set(colour, found);
    return found;
  };
}

/** A colour with the variables in it replaced by what they hold. */
function resolved(colour: string, style: CSSStyleDeclaration): string {
  return colour.replace(/var\((--[\w-]+)\)/g, (_, name: string) => style.getPropertyValue(name));
}

function overlap(one: Box, other: Box): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  );
}

type Css = (colour: string) => string;

/** All that is drawn of a graph, as paths: one for all nodes, one for all wires of a colour. */
interface Drawing {
  catalog: Catalog;
  boxes: ReadonlyMap<string, Box>;
  nodes: Path2D;
  wires: ReadonlyMap<string, Path2D>;
}

const drawings = new WeakMap<Graph, Drawing>();

/** Made once for each state of a document; panning only paints it again. */
function drawingOf(graph: Graph): Drawing {
  const { catalog } = useStudio.getState();
  const known = drawings.get(graph);
  if (known?.catalog === catalog) return known;
  const boxes = new Map<string, Box>();
  const nodes = new Path2D();
  for (const key of graph.order) {
    const node = graph.nodes[key];
    if (node === undefined) continue;
    const box = boxOf(node);
    boxes.set(key, box);
    nodes.rect(box.x, box.y, box.width, box.height);
  }
  const wires = new Map<string, Path2D>();
  for (const link of Object.values(graph.links)) {
    const [from, to] = [graph.nodes[link.from], graph.nodes[link.to]];
    const [start, end] = [boxes.get(link.from), boxes.get(link.to)];
    if (!(from && to && start && end)) continue;
    const colour = colourOf(outputType(from, catalog[from.type], link.fromSlot));
    const path = wires.get(colour) ?? new Path2D();
    wires.set(colour, path);
    const source = { x: start.x + start.width, y: start.y + TITLE * 1.5 };
    const target = { x: end.x, y: end.y + TITLE * 1.5 };
    traceLink(
      path,
      link,
      pathOf(graph, link),
      { source, target },
      setting("calotype.wireShape") as WireShape,
    );
  }
  const made = { catalog, boxes, nodes, wires };
  drawings.set(graph, made);
  return made;
}

function paint(context: CanvasRenderingContext2D, drawn: Drawing, css: Css, zoom: number): void {
  context.lineWidth = 1.4 / zoom;
  context.globalAlpha = 0.7;
  for (const [colour, path] of drawn.wires) {
    context.strokeStyle = css(colour);
    context.stroke(path);
  }
  context.globalAlpha = 1;
  context.fillStyle = css("var(--node)");
  context.fill(drawn.nodes);
  context.lineWidth = 1 / zoom;
  context.strokeStyle = css("var(--line)");
  context.stroke(drawn.nodes);
}

function outline(context: CanvasRenderingContext2D, box: Box, colour: string, zoom: number): void {
  context.lineWidth = 2 / zoom;
  context.strokeStyle = colour;
  context.strokeRect(box.x, box.y, box.width, box.height);
}

const SMALLEST_TITLED = 40;

function paintTitles(
  context: CanvasRenderingContext2D,
  graph: Graph,
  { boxes, catalog }: Drawing,
  view: Box,
  css: Css,
  zoom: number,
): void {
  const size = Math.min(13 / zoom, 34);
  context.fillStyle = css("var(--text)");
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textBaseline = "top";
  for (const [key, box] of boxes) {
    const node = graph.nodes[key];
    if (node === undefined || box.width * zoom < SMALLEST_TITLED || !overlap(box, view)) continue;
    context.globalAlpha = node.mode === 0 ? 1 : 0.45;
    const title = titleOf(node, catalog[node.type]);
    context.fillText(fitting(title, box.width - 24, size), box.x + 12, box.y + 8);
  }
  context.globalAlpha = 1;
}

/** As much of a title as there is room for, by the usual width of a letter. */
function fitting(title: string, room: number, size: number): string {
  const letters = Math.floor(room / (size * 0.6));
  return title.length <= letters ? title : `${title.slice(0, Math.max(letters - 1, 1))}\u2026`;
}
