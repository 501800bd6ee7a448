/**
 * Paints the graph for the overview, the minimap, and wires that are too many for elements. Works
 * in graph coordinates on any 2D context.
 */
import type { Catalog } from "../api/catalog";
import type { NodeSchema } from "../api/types";
import type { Box } from "../document/arrange";
import { overlaps } from "../document/arrange";
import { type Graph, type Group, MODE, type Point } from "../document/graph";
import { isNote } from "../document/notes";
import { endsOf, pathOf, traceLink, type WireShape } from "../state/editing/wires";
import { tintOf } from "../state/nodes/categories";
import { frameColour, NOTE_COLOUR, paintOf } from "../state/nodes/colours";
import { foldingOf } from "../state/nodes/folding";
import { colourOf } from "../state/nodes/kinds";
import { titleOf } from "../state/nodes/naming";
import { cornerOf, outputType, shapeFor, showsPictures, TITLE } from "../state/nodes/shape";
import { FOLD_PREFIX } from "./flow";
import {
  FONT,
  type FrameTitle,
  fontOf,
  frameTitles,
  LETTER,
  openFrames,
  rulerOf,
  shortened,
} from "./frameTitles";

/** What a drawing depends on besides the document. */
export interface DrawingOptions {
  catalog: Catalog;
  shape: WireShape;
  /** Whether a node shows images or texts. */
  shows: (key: string) => boolean;
}

/**
 * Paths, made once for each state of a document: one for all nodes, one for all wires of a colour.
 */
export interface Drawing {
  graph: Graph;
  /** The frames that are not folded. */
  groups: readonly Group[];
  boxes: ReadonlyMap<string, Box>;
  bodies: Path2D;
  faded: Path2D;
  /** Title bars by colour. */
  heads: ReadonlyMap<string, Path2D>;
  wires: ReadonlyMap<string, Path2D>;
  /** The links whose paths are in `wires`. */
  links: readonly string[];
  titles: ReadonlyMap<string, string>;
}

type Css = (colour: string) => string;

/**
 * Makes the paths of a graph. The links in `detached` are left out, since they are being pulled.
 */
export function drawingOf(
  graph: Graph,
  options: DrawingOptions,
  detached: readonly string[] = [],
): Drawing {
  const { catalog, shows } = options;
  const { folds, hidden } = foldingOf(graph);
  const boxes = new Map<string, Box>();
  const titles = new Map<string, string>();
  const [bodies, faded] = [new Path2D(), new Path2D()];
  const heads = new Map<string, Path2D>();
  for (const key of graph.order) {
    const node = graph.nodes[key];
    if (node === undefined || hidden.has(key)) continue;
    const schema = catalog[node.type];
    const { width, height } = shapeFor(node, schema, showsPictures(schema) || shows(key));
    const box: Box = { ...cornerOf(node), width, height };
    boxes.set(key, box);
    titles.set(key, titleOf(node, schema));
    (node.mode === MODE.always ? bodies : faded).rect(box.x, box.y, width, height);
    const paint = paintOf(node, isNote(node) ? NOTE_COLOUR : undefined);
    pathIn(heads, paint?.["--paint"] ?? headOf(schema)).rect(box.x, box.y, width, TITLE);
  }
  for (const { group, width, height } of folds) {
    const box: Box = { ...group.position, width, height };
    boxes.set(FOLD_PREFIX + group.key, box);
    titles.set(FOLD_PREFIX + group.key, group.title);
    bodies.rect(box.x, box.y, width, height);
    pathIn(heads, frameColour(group.color) ?? GROUP).rect(box.x, box.y, width, TITLE);
  }
  const links: string[] = [];
  const shown =
    detached.length === 0
      ? graph.linkOrder
      : graph.linkOrder.filter((key) => !detached.includes(key));
  const wires = wiresOf(graph, shown, options, links);
  const groups = openFrames(graph);
  return { graph, groups, boxes, bodies, faded, heads, wires, links, titles };
}

/** The paths of these links by colour; the keys of the drawn ones are appended to `drawn`. */
export function wiresOf(
  graph: Graph,
  links: readonly string[],
  { catalog, shows, shape }: DrawingOptions,
  drawn?: string[],
): Map<string, Path2D> {
  const wires = new Map<string, Path2D>();
  for (const key of links) {
    const link = graph.links[key];
    const source = link && graph.nodes[link.from];
    if (link === undefined || source === undefined) continue;
    const ends = endsOf(graph, link, catalog, shows);
    if (ends === null) continue;
    drawn?.push(key);
    const colour = colourOf(outputType(source, catalog[source.type], link.fromSlot));
    traceLink(pathIn(wires, colour), link, pathOf(graph, link), ends, shape);
  }
  return wires;
}

/** The colour of a title bar: stronger than on a node, since it is all that is seen from afar. */
function headOf(schema: NodeSchema | undefined): string {
  const kind = tintOf(schema)?.["--kind"];
  return kind === undefined ? "var(--header)" : mixed(kind, "var(--header)");
}

function pathIn(paths: Map<string, Path2D>, colour: string): Path2D {
  const known = paths.get(colour);
  if (known !== undefined) return known;
  const made = new Path2D();
  paths.set(colour, made);
  return made;
}

/** The current state that is painted over a drawing. */
export interface Marks {
  selected: readonly string[];
  wrong: ReadonlySet<string>;
  running: ReadonlySet<string>;
  /** Nodes and folded frames with a class that is not on the server. */
  missing: ReadonlySet<string>;
  /**
   * The frame that would contain the dragged nodes, and the wire that they would be inserted into.
   */
  receiving?: string | null;
  entered?: Path2D | null;
}

const FAINT_ALPHA = 0.45;

/**
 * Paints a drawing without its texts. `wire` is the width of wires in pixels; zoomed in, it is at
 * least their width in the graph.
 */
export function paintGraph(
  context: CanvasRenderingContext2D,
  drawn: Drawing,
  marks: Marks,
  css: Css,
  zoom: number,
  wire = 1.3,
): void {
  for (const group of drawn.groups) {
    paintGroup(context, group, css, zoom, group.key === marks.receiving);
  }
  context.lineWidth = Math.max(wire / zoom, 2);
  context.globalAlpha = 0.75;
  for (const [colour, path] of drawn.wires) {
    context.strokeStyle = css(colour);
    context.stroke(path);
  }
  context.globalAlpha = 1;
  if (marks.entered != null) {
    context.strokeStyle = css("var(--accent)");
    context.lineWidth = 4 / zoom;
    context.stroke(marks.entered);
  }
  context.fillStyle = css("var(--node)");
  context.fill(drawn.bodies);
  context.globalAlpha = FAINT_ALPHA;
  context.fill(drawn.faded);
  context.globalAlpha = 1;
  for (const [colour, path] of drawn.heads) {
    context.fillStyle = css(colour);
    context.fill(path);
  }
  context.lineWidth = 1 / zoom;
  context.strokeStyle = css("var(--line)");
  context.stroke(drawn.bodies);
  paintMissing(context, drawn, marks.missing, css, zoom);
  paintMarks(context, drawn, marks, css, zoom);
}

/** The distance of the lines of a hatching, in pixels. */
const HATCH_DISTANCE = 6;

/** Hatches the boxes in which a class is missing. */
function paintMissing(
  context: CanvasRenderingContext2D,
  { boxes }: Drawing,
  missing: ReadonlySet<string>,
  css: Css,
  zoom: number,
): void {
  if (missing.size === 0) return;
  const [lines, outlines] = [new Path2D(), new Path2D()];
  for (const key of missing) {
    const box = boxes.get(key);
    if (box === undefined) continue;
    outlines.rect(box.x, box.y, box.width, box.height);
    for (const [from, to] of hatchOf(box, HATCH_DISTANCE / zoom)) {
      lines.moveTo(from.x, from.y);
      lines.lineTo(to.x, to.y);
    }
  }
  context.strokeStyle = css("var(--warn)");
  context.lineWidth = 1.2 / zoom;
  context.globalAlpha = 0.5;
  context.stroke(lines);
  context.globalAlpha = 0.9;
  context.stroke(outlines);
  context.globalAlpha = 1;
}

/** Parallel lines across a box, from its left and lower edges up to its upper and right ones. */
export function hatchOf({ x, y, width, height }: Box, distance: number): [Point, Point][] {
  const lines: [Point, Point][] = [];
  for (let sum = distance; sum < width + height; sum += distance) {
    const [left, right] = [Math.max(0, sum - height), Math.min(sum, width)];
    lines.push([
      { x: x + left, y: y + sum - left },
      { x: x + right, y: y + sum - right },
    ]);
  }
  return lines;
}

function paintMarks(
  context: CanvasRenderingContext2D,
  { boxes }: Drawing,
  { selected, wrong, running }: Marks,
  css: Css,
  zoom: number,
): void {
  const mark = (keys: Iterable<string>, colour: string, fill: number) => {
    const path = new Path2D();
    for (const key of keys) {
      const box = boxes.get(key);
      if (box !== undefined) path.rect(box.x, box.y, box.width, box.height);
    }
    context.globalAlpha = fill;
    context.fillStyle = css(colour);
    context.fill(path);
    context.globalAlpha = 1;
    context.lineWidth = 2 / zoom;
    context.strokeStyle = css(colour);
    context.stroke(path);
  };
  mark(wrong, "var(--error)", 0.22);
  mark(running, "var(--ok)", 0.3);
  mark(selected, "var(--accent)", 0.12);
}

const GROUP = "var(--frame-standard)";

function paintGroup(
  context: CanvasRenderingContext2D,
  { position, size, color }: Group,
  css: Css,
  zoom: number,
  receiving: boolean,
): void {
  context.fillStyle = css(receiving ? "var(--accent)" : (frameColour(color) ?? GROUP));
  context.strokeStyle = context.fillStyle;
  context.globalAlpha = 0.14;
  context.fillRect(position.x, position.y, size.width, size.height);
  context.globalAlpha = receiving ? 1 : 0.6;
  context.lineWidth = (receiving ? 2 : 1) / zoom;
  context.strokeRect(position.x, position.y, size.width, size.height);
  context.globalAlpha = 1;
}

/** The smallest width and height, in pixels, of a box with a title. */
const TITLED = 40;

/** The height of the letters of titles, in graph coordinates. */
export function titleSize(zoom: number): number {
  return Math.min(12 / zoom, Math.max(42, 8 / zoom));
}

/**
 * Paints the titles of nodes where they fit, in at most `most` lines of a node, and those of frames,
 * large, for orientation.
 */
export function paintWords(
  context: CanvasRenderingContext2D,
  drawn: Drawing,
  area: Box,
  css: Css,
  zoom: number,
  most: (key: string) => number = () => Number.POSITIVE_INFINITY,
): void {
  context.textBaseline = "top";
  const size = titleSize(zoom);
  context.font = `600 ${size}px ${FONT}`;
  context.fillStyle = css("var(--text)");
  for (const [key, box] of drawn.boxes) {
    if (box.width * zoom < TITLED || !overlaps(box, area)) continue;
    const isFaint = drawn.graph.nodes[key]?.mode !== MODE.always;
    context.globalAlpha = isFaint ? FAINT_ALPHA : 1;
    const height = Math.min(box.height - size * 0.4, size * 1.15 * most(key) + 1);
    const room = { width: box.width - size * 0.8, height };
    linesOf(drawn.titles.get(key) ?? "", room, size).forEach((line, index) => {
      context.fillText(line, box.x + size * 0.4, box.y + size * (0.3 + index * 1.15));
    });
  }
  context.globalAlpha = 1;
  for (const title of frameTitles(drawn.groups, zoom, rulerOf(context))) {
    if (overlaps(title.box, area)) paintFrameTitle(context, title, css);
  }
}

/** A title broken between words into lines that fit. */
export function linesOf(
  title: string,
  room: { width: number; height: number },
  size: number,
): string[] {
  const letters = Math.max(Math.floor(room.width / (size * LETTER)), 1);
  const most = Math.max(Math.floor(room.height / (size * 1.15)), 1);
  const lines: string[] = [];
  let line = "";
  for (const word of title.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length <= letters) {
      line = longer;
      continue;
    }
    if (line !== "") lines.push(line);
    line = word;
  }
  lines.push(line);
  const shown = lines.slice(0, most).map((each) => shortened(each, letters));
  const last = shown.at(-1);
  if (last !== undefined && lines.length > most) {
    shown[shown.length - 1] = last.endsWith("\u2026") ? last : shortened(`${last} \u2026`, letters);
  }
  return shown;
}

function paintFrameTitle(
  context: CanvasRenderingContext2D,
  { group, text, letter, box }: FrameTitle,
  css: Css,
): void {
  // With a background, since the title covers wires that cross the frame's edge.
  context.fillStyle = css("var(--canvas)");
  context.globalAlpha = 0.8;
  context.fillRect(box.x, box.y, box.width, box.height);
  context.globalAlpha = 1;
  context.font = fontOf(letter);
  context.fillStyle = mixed(css(frameColour(group.color) ?? GROUP), css("var(--text)"));
  context.fillText(text, box.x + letter * 0.35, box.y + letter * 0.18);
}

function mixed(one: string, other: string): string {
  return `color-mix(in srgb, ${one} 45%, ${other})`;
}

/** Resolves CSS colours, each once: the browser's computation takes longer than the painting. */
export function cssOf(element: Element): Css {
  const style = getComputedStyle(element);
  const known = new Map<string, string>();
  return (colour) => {
    const found = known.get(colour) ?? resolved(colour, style);
    known.set(colour, found);
    return found;
  };
}

/** A colour with its CSS variables replaced by their values. */
function resolved(colour: string, style: CSSStyleDeclaration): string {
  return colour.replace(/var\((--[\w-]+)\)/g, (_, name: string) => style.getPropertyValue(name));
}
