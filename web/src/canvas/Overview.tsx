/** The graph from far: painted from the document on one canvas, however many nodes there are. */
import { useStore } from "@xyflow/react";
import { useEffect, useRef } from "react";
import type { Graph, GraphNode, Point } from "../document/graph";
import { colourOf } from "../state/kinds";
import { placeOf, useRuns } from "../state/runs";
import { outputType, shapeOf, TITLE } from "../state/shape";
import { activeTab, titleOf, useActive, useStudio } from "../state/studio";
import { useView } from "../state/view";

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
  const problems = useRuns((state) => state.problems[tab.id]?.node_errors);
  const theme = useView((state) => state.theme);

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
    const view: Box = { x: -x / zoom, y: -y / zoom, width: width / zoom, height: height / zoom };
    paintWires(context, tab.graph, css, zoom);
    for (const key of tab.graph.order) {
      const node = tab.graph.nodes[key];
      if (node === undefined) continue;
      const box = boxOf(node);
      if (!overlap(box, view)) continue;
      const run = runs[placeOf(tab.id, key)]?.state;
      const outline =
        problems !== undefined && key in problems
          ? "var(--error)"
          : run === "running" || tab.selected.includes(key)
            ? "var(--accent)"
            : "var(--line)";
      paintNode(context, node, box, css, outline, zoom);
    }
  }, [x, y, zoom, width, height, tab, runs, problems, theme]);

  return <canvas ref={canvas} className="overview" style={{ width, height }} />;
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

function paintWires(context: CanvasRenderingContext2D, graph: Graph, css: Css, zoom: number): void {
  const { catalog } = useStudio.getState();
  context.lineWidth = 1.4 / zoom;
  context.globalAlpha = 0.7;
  for (const link of Object.values(graph.links)) {
    const [from, to] = [graph.nodes[link.from], graph.nodes[link.to]];
    if (from === undefined || to === undefined) continue;
    const source = { x: from.position.x + from.size.width, y: from.position.y + 16 };
    const target = { x: to.position.x, y: to.position.y + 16 };
    const bend = Math.max(40, Math.abs(target.x - source.x) / 2);
    context.strokeStyle = css(colourOf(outputType(from, catalog[from.type], link.fromSlot)));
    context.beginPath();
    context.moveTo(source.x, source.y);
    context.bezierCurveTo(source.x + bend, source.y, target.x - bend, target.y, target.x, target.y);
    context.stroke();
  }
  context.globalAlpha = 1;
}

function paintNode(
  context: CanvasRenderingContext2D,
  node: GraphNode,
  box: Box,
  css: Css,
  outline: string,
  zoom: number,
): void {
  const { catalog } = useStudio.getState();
  context.globalAlpha = node.mode === 0 ? 1 : 0.45;
  context.fillStyle = css("var(--node)");
  context.beginPath();
  context.roundRect(box.x, box.y, box.width, box.height, 8);
  context.fill();
  context.lineWidth = (outline === "var(--line)" ? 1 : 2) / zoom;
  context.strokeStyle = css(outline);
  context.stroke();
  const size = Math.min(13 / zoom, 34);
  if (box.width * zoom > 30) {
    context.fillStyle = css("var(--text)");
    context.font = `600 ${size}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.save();
    context.beginPath();
    context.rect(box.x, box.y, box.width - 8, box.height);
    context.clip();
    context.fillText(titleOf(node, catalog[node.type]), box.x + 12, box.y + 8 + size / 2);
    context.restore();
  }
  context.globalAlpha = 1;
}
