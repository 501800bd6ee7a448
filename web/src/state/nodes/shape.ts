/**
 * The layout of a node, computed instead of measured: with thousands of nodes, the canvas must
 * never query the browser for sizes. A saved node's position is that of its body, with the title
 * above it; here both are one box.
 */
import type { InputSchema, NodeSchema } from "../../api/types";
import {
  type Graph,
  type GraphNode,
  isBoundary,
  type Point,
  slotLabel,
} from "../../document/graph";
import { boundaryShape } from "./boundary";
import { isView, widgetType } from "./fieldTypes";
import { mediaOf } from "./fileValue";
import { allowedTypes, inputsOf, isAutogrown, MATCH, shownType } from "./inputs";
import { isRerouteNode, rerouteShape } from "./reroutes";
import type { Shape, SocketRow, WidgetRow } from "./rows";
import { controlOf, fallbackValue, isSocket, isWidget } from "./widgets";

export const TITLE = 30;
export const ROW = 20;
export const WIDGET = 24;
const PAD = 6;
const TEXT = 76;
const PICTURE = 160;
export const MIN_WIDTH = 180;
export const WIDTH = 240;
const COLLAPSED_WIDTH = 160;
export const GRID = 8;

/** Whether nodes of this class show the picture that is their input. */
export function showsPictures(schema: NodeSchema | undefined): boolean {
  return schema?.inputs.some((each) => mediaOf(each) !== null) ?? false;
}

/** `pictures`: whether the node shows results below its widgets. */
export function shapeOf(node: GraphNode, schema: NodeSchema | undefined, pictures: boolean): Shape {
  if (isBoundary(node.key)) return boundaryShape(node, { title: TITLE, row: ROW, pad: PAD });
  if (schema === undefined && isRerouteNode(node)) return rerouteShape(node, TITLE);
  const { inputs, outputs } = socketsOf(node, schema);
  if (node.collapsed) return collapsedShape(inputs, outputs, widgetsOf(node, schema));
  const width = Math.max(node.size.width, MIN_WIDTH);
  const requestedHeight = node.size.height + TITLE;
  const rows = Math.max(inputs.length, outputs.length);
  let y = TITLE + PAD + rows * ROW + (rows > 0 ? 4 : 0);
  const described = widgetsOf(node, schema);
  const texts = described.filter(isMultiline).length;
  const rest = described.filter((each) => !isMultiline(each));
  const fixed = y + rest.reduce((sum, each) => sum + rowHeight(each), 0) + PAD;
  const minShown = pictures ? PICTURE : 0;
  const spare = requestedHeight - fixed - (pictures ? Math.min(minShown, width) : 0);
  const text = texts === 0 ? 0 : Math.max(TEXT, Math.floor(spare / texts));
  const widgets = described.map((input): WidgetRow => {
    const multiline = isMultiline(input);
    const height = multiline ? text : rowHeight(input);
    const row = { input, control: controlOf(schema as NodeSchema, input), multiline, y, height };
    y += height;
    return row;
  });
  if (schema === undefined) y += Object.keys(node.values).length > 0 ? ROW : 0;
  const least = y + PAD;
  const height = Math.max(requestedHeight, least + minShown);
  const shown = pictures ? { y, height: height - y - PAD } : null;
  return { width, height, inputs, outputs, widgets, shown };
}

interface CachedShape {
  node: GraphNode;
  schema: NodeSchema | undefined;
  pictures: boolean;
  shape: Shape;
}

/** Keyed by a part of the node that does not change when the node moves. */
const shapes = new WeakMap<GraphNode["inputs"], CachedShape>();

/** `shapeOf`, cached until anything but the node's position changes. */
export function shapeFor(
  node: GraphNode,
  schema: NodeSchema | undefined,
  pictures: boolean,
): Shape {
  const cached = shapes.get(node.inputs);
  if (
    cached?.schema === schema &&
    cached?.pictures === pictures &&
    differsInPositionOnly(cached.node, node)
  ) {
    return cached.shape;
  }
  const shape = shapeOf(node, schema, pictures);
  shapes.set(node.inputs, { node, schema, pictures, shape });
  return shape;
}

function differsInPositionOnly(from: GraphNode, to: GraphNode): boolean {
  if (from === to) return true;
  for (const part of Object.keys(to) as (keyof GraphNode)[]) {
    if (part !== "position" && from[part] !== to[part]) return false;
  }
  return true;
}

/** The least height of the node. */
export function minHeight(
  node: GraphNode,
  schema: NodeSchema | undefined,
  pictures: boolean,
): number {
  return shapeOf({ ...node, size: { width: node.size.width, height: 0 } }, schema, pictures).height;
}

function collapsedShape(
  inputs: SocketRow[],
  outputs: SocketRow[],
  widgets: readonly InputSchema[],
): Shape {
  const middle = (each: SocketRow) => ({ ...each, y: TITLE / 2 });
  return {
    width: COLLAPSED_WIDTH,
    height: TITLE,
    inputs: inputs.map(middle),
    outputs: outputs.map(middle),
    widgets: widgets.map((input) => ({
      input,
      control: null,
      multiline: false,
      y: TITLE / 2 - WIDGET / 2,
      height: WIDGET,
    })),
    shown: null,
  };
}

function widgetsOf(node: GraphNode, schema: NodeSchema | undefined): InputSchema[] {
  return schema === undefined
    ? []
    : inputsOf(schema, node).filter((each) => isWidget(each) && !isView(each));
}

/** The heights of fields of more than one line, by type or display option, in canvas units. */
const HEIGHTS: Readonly<Record<string, number>> = { CURVE: 148, knob: 60 };

function rowHeight(input: InputSchema): number {
  const plugin = input.options.plugin_widget as { height: number } | undefined;
  if (plugin !== undefined) return plugin.height + PAD;
  return HEIGHTS[widgetType(input)] ?? HEIGHTS[String(input.options.display)] ?? WIDGET;
}

function isMultiline(input: InputSchema): boolean {
  return input.type === "STRING" && input.options.multiline === true;
}

/** The node's sockets in the order of the catalog; those that only the file has come last. */
function socketsOf(node: GraphNode, schema: NodeSchema | undefined) {
  const y = (index: number) => TITLE + PAD + index * ROW + ROW / 2;
  const concrete = schema === undefined ? [] : inputsOf(schema, node);
  const described = concrete.filter((each) => each.section !== "hidden");
  const known = new Set(described.map((each) => each.name));
  const onlySaved = node.inputs.filter(
    ({ name, link }) =>
      !known.has(name) && (link !== null || schema === undefined || !isAutogrown(schema, name)),
  );
  const inputs = [
    ...described.filter(isSocket).map((each) => ({
      id: each.name,
      label: labelOf(each),
      type: shownType(node, each),
      optional: each.section === "optional",
      tooltip: typeof each.options.tooltip === "string" ? each.options.tooltip : null,
    })),
    ...onlySaved.map((each) => ({
      id: each.name,
      label: slotLabel(each),
      type: each.type,
      optional: schema !== undefined,
      tooltip: null,
    })),
  ].map((each, index) => ({ ...each, list: false, y: y(index) }));
  const count = Math.max(node.outputs.length, schema?.outputs.length ?? 0);
  const outputs = Array.from({ length: count }, (_, index) => {
    const [described, saved] = [schema?.outputs[index], node.outputs[index]];
    return {
      id: String(index),
      label: described?.name || (saved === undefined ? "" : slotLabel(saved)),
      type: (saved?.type === "*" ? described?.type : saved?.type) ?? described?.type ?? "*",
      optional: false,
      list: described?.is_list ?? false,
      tooltip: described?.tooltip ?? null,
      y: y(index),
    };
  });
  return { inputs, outputs };
}

/** The label of an input: the author's display name, or the last part of a dotted name. */
function labelOf({ name, options }: InputSchema): string {
  if (typeof options.display_name === "string") return options.display_name;
  return name.split(".").at(-1) ?? name;
}

/** The top left corner of the whole box, including the title. */
export function cornerOf(node: GraphNode): Point {
  return { x: node.position.x, y: node.position.y - TITLE };
}

export function bodyAt(corner: Point): Point {
  return { x: corner.x, y: corner.y + TITLE };
}

export function inputNamed(
  node: GraphNode,
  schema: NodeSchema | undefined,
  name: string,
): InputSchema | undefined {
  return schema === undefined
    ? undefined
    : inputsOf(schema, node).find((each) => each.name === name);
}

/** The type of a node's input, whether it is a socket or a widget. */
export function inputType(node: GraphNode, schema: NodeSchema | undefined, name: string): string {
  const described = inputNamed(node, schema, name);
  if (described?.type === MATCH) return allowedTypes(described.options);
  return described?.type ?? node.inputs.find((each) => each.name === name)?.type ?? "*";
}

export function outputType(node: GraphNode, schema: NodeSchema | undefined, slot: number): string {
  const [saved, described] = [node.outputs[slot]?.type, schema?.outputs[slot]?.type];
  return (saved === "*" ? described : saved) ?? described ?? "*";
}

/** A widget's value as the server would use it: the saved one, else the default. */
export function currentValue(node: GraphNode, input: InputSchema) {
  return node.values[input.name] ?? fallbackValue(input);
}

export function boundsOf(graph: Graph, keys: readonly string[]) {
  const nodes = keys.flatMap((key) => graph.nodes[key] ?? []);
  if (nodes.length === 0) return null;
  const left = Math.min(...nodes.map((each) => each.position.x));
  const top = Math.min(...nodes.map((each) => each.position.y - TITLE));
  const right = Math.max(...nodes.map((each) => each.position.x + each.size.width));
  const bottom = Math.max(...nodes.map((each) => each.position.y + each.size.height));
  return { x: left, y: top, width: right - left, height: bottom - top };
}
