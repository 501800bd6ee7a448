/**
 * What painted nodes hold, while the zoom leaves room for it: the shapes of their fields, their
 * picture, and the first words of a prompt or the name of a model.
 */
import type { Catalog } from "../api/catalog";
import type { InputSchema, NodeSchema } from "../api/types";
import { type Box, overlaps } from "../document/arrange";
import { type GraphNode, MODE } from "../document/graph";
import { currentValue, shapeFor, showsPictures } from "../state/nodes/shape";
import { FONT } from "./frameTitles";
import { type Drawing, linesOf, titleSize } from "./paint";

/** Below this zoom nothing but titles would be legible. */
const DETAILED_FROM = 0.25;
/** The lines that a title may have where there is something below it. */
const TITLE_LINES = 2;
const WORD_SIZE = 10;
const MAX_WORDS = 240;
const INSET = 10;
const FAINT_ALPHA = 0.45;

interface DetailOptions {
  catalog: Catalog;
  /** Whether a node shows images or texts. */
  shows: (key: string) => boolean;
  /** The small picture that a node shows, once it is loaded. */
  thumbnailOf: (node: GraphNode, schema: NodeSchema | undefined) => ImageBitmap | null;
}

interface Detail {
  fields: readonly Box[];
  /** The area of its picture. */
  shown: Box | null;
  words: { text: string; box: Box } | null;
}

type Css = (colour: string) => string;

/** Returns the most lines of a node's title that leave room for what is below it. */
export function paintDetails(
  context: CanvasRenderingContext2D,
  drawn: Drawing,
  { catalog, shows, thumbnailOf }: DetailOptions,
  area: Box,
  css: Css,
  zoom: number,
): (key: string) => number {
  if (zoom < DETAILED_FROM) return () => Number.POSITIVE_INFINITY;
  const fields = new Path2D();
  const lines = new Map<string, number>();
  const above: (() => void)[] = [];
  for (const [key, box] of drawn.boxes) {
    const node = drawn.graph.nodes[key];
    if (node === undefined || node.collapsed || !overlaps(box, area)) continue;
    const schema = catalog[node.type];
    const detail = detailOf(node, box, schema, shows(key));
    for (const each of detail.fields) fields.rect(each.x, each.y, each.width, each.height);
    const picture = detail.shown === null ? null : thumbnailOf(node, schema);
    const alpha = node.mode === MODE.always ? 1 : FAINT_ALPHA;
    const { words } = detail;
    if (words !== null && box.height < heightOf(TITLE_LINES, zoom)) lines.set(key, 1);
    above.push(() => {
      context.globalAlpha = alpha;
      if (picture !== null && detail.shown !== null) {
        paintPicture(context, picture, detail.shown);
      }
      if (words === null) return;
      const room = belowTitle(drawn.titles.get(key) ?? "", box, words.box, zoom, lines.get(key));
      paintWordsIn(context, words.text, room, css, zoom);
    });
  }
  context.fillStyle = css("var(--field)");
  context.fill(fields);
  for (const paint of above) paint();
  context.globalAlpha = 1;
  return (key) => lines.get(key) ?? TITLE_LINES;
}

/** The height of a title of so many lines with a line of words below it. */
function heightOf(lines: number, zoom: number): number {
  return titleSize(zoom) * (0.45 + 1.15 * lines) + (1.3 * WORD_SIZE) / zoom;
}

/** What a node holds, in graph coordinates; `box` is its place. */
export function detailOf(
  node: GraphNode,
  { x, y }: Box,
  schema: NodeSchema | undefined,
  shows: boolean,
): Detail {
  const shape = shapeFor(node, schema, showsPictures(schema) || shows);
  const boxOf = (row: { y: number; height: number }): Box => ({
    x: x + INSET,
    y: y + row.y + 2,
    width: shape.width - 2 * INSET,
    height: row.height - 4,
  });
  let words: Detail["words"] = null;
  for (const row of shape.widgets) {
    const text = wordsOf(node, row.input);
    if (text === "" || (words !== null && !row.multiline)) continue;
    // A prompt says more of a node than a file; the first of either is enough.
    words = { text, box: boxOf(row) };
    if (row.multiline) break;
  }
  const shown = shape.shown === null ? null : boxOf(shape.shown);
  const fields = shape.widgets.map(boxOf);
  return { fields: shown === null ? fields : [...fields, shown], shown, words };
}

/** The first words of a prompt, or a file's name without its folder; "" for any other field. */
function wordsOf(node: GraphNode, input: InputSchema): string {
  const isPrompt = input.type === "STRING" && input.options.multiline === true;
  const isFile = input.type === "COMBO" && /_name\d?$/.test(input.name);
  if (!isPrompt && !(isFile && !/^(sampler|scheduler)_name$/.test(input.name))) return "";
  if (node.inputs.some((each) => each.name === input.name && each.link !== null)) return "";
  const value = currentValue(node, input);
  if (typeof value !== "string") return "";
  if (isPrompt) return value.slice(0, MAX_WORDS).trim().replaceAll(/\s+/g, " ");
  return (value.split(/[/\\]/).at(-1) ?? value).replace(/\.\w{1,12}$/, "");
}

function paintPicture(context: CanvasRenderingContext2D, picture: ImageBitmap, box: Box): void {
  const scale = Math.min(box.width / picture.width, box.height / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  const [left, top] = [box.x + (box.width - width) / 2, box.y + (box.height - height) / 2];
  context.drawImage(picture, left, top, width, height);
}

/**
 * The room for words: that of their field, but below the title, which at this zoom is larger than
 * its bar. A line fits into a node that has the height for it.
 */
export function belowTitle(
  title: string,
  node: Box,
  field: Box,
  zoom: number,
  most = TITLE_LINES,
): Box {
  const size = titleSize(zoom);
  const room = { width: node.width - size * 0.8, height: size * 1.15 * most + 1 };
  const bottom = node.y + size * (0.45 + 1.15 * linesOf(title, room, size).length);
  const y = Math.max(field.y, bottom);
  const line = Math.min(y + (1.3 * WORD_SIZE) / zoom, node.y + node.height);
  return { ...field, y, height: Math.max(field.y + field.height, line) - y };
}

function paintWordsIn(
  context: CanvasRenderingContext2D,
  text: string,
  box: Box,
  css: Css,
  zoom: number,
): void {
  const size = WORD_SIZE / zoom;
  if (box.height < size) return;
  context.font = `400 ${size}px ${FONT}`;
  context.fillStyle = css("var(--dim)");
  const room = { width: box.width - size * 0.6, height: box.height };
  linesOf(text, room, size).forEach((line, index) => {
    context.fillText(line, box.x + size * 0.3, box.y + size * (0.15 + index * 1.15));
  });
}
