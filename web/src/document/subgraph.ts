/**
 * Makes a subgraph of nodes. `unpack.ts` is the inverse. Wires that cross the border become ports;
 * nodes and wires keep their ids where these are free.
 */
import { blankNode, blankSaved } from "./blank";
import { type Box, boxOf, copyLink, plain, withoutLinks } from "./border";
import { BOUNDARY } from "./boundary";
import { addNode, connect, removeNodes } from "./edit";
import { nodesIn } from "./frames";
import {
  type Definition,
  type Draft,
  emptyGraph,
  type Graph,
  type GraphNode,
  INPUTS,
  type InputSlot,
  isBoundary,
  type Link,
  OUTPUTS,
  type Point,
  type Reroute,
  type Workflow,
} from "./graph";
import { recordOrigin } from "./instanceOrigin";
import { widgetsBehind } from "./instances";
import { addPort, outputSlot, portsOf } from "./ports";
import { pointsOf } from "./reroute";

/** The distance of the boundary nodes from the contents, in canvas units. */
const BOUNDARY_GAP = 120;
const BOUNDARY_WIDTH = 136;

interface Named {
  id: string;
  name: string;
}

/** Moves nodes into a new subgraph, with an instance in their place. Returns its key. */
export function makeSubgraph(
  workflow: Workflow,
  graph: Draft,
  keys: readonly string[],
  { id, name }: Named,
): string {
  const taken = new Set(keys.filter((key) => key in graph.nodes && !isBoundary(key)));
  if (taken.size === 0) throw new Error("There are no nodes to make a subgraph of.");
  const nodes = graph.order.flatMap((key) => (taken.has(key) ? (graph.nodes[key] ?? []) : []));
  const links = graph.linkOrder.flatMap((key) => graph.links[key] ?? []);
  const inside = links.filter((each) => taken.has(each.from) && taken.has(each.to));
  const incoming = links.filter((each) => !taken.has(each.from) && taken.has(each.to));
  const outgoing = links.filter((each) => taken.has(each.from) && !taken.has(each.to));
  const box = boxOf(nodes);
  workflow.definitions[id] = blankSubgraph({ id, name }, box);
  // Read again from the draft, as only the draft's own objects may be edited.
  const definition = workflow.definitions[id];
  if (definition === undefined) throw new Error(`There is no subgraph ${id}.`);
  const inner = definition.graph;
  for (const node of nodes) {
    inner.nodes[node.key] = withoutLinks(node);
    inner.order.push(node.key);
  }
  inner.lastNodeId = graph.lastNodeId;
  inner.lastLinkId = graph.lastLinkId;
  for (const each of inside) copyLink(inner, each, each.from, each.fromSlot);
  copyPoints(graph, inner, inside);
  moveFrames(graph, inner, taken);
  const sources = makeInputPorts(workflow, graph, definition, incoming);
  const targets = makeOutputPorts(workflow, graph, definition, outgoing);
  removeNodes(graph, [...taken]);
  const key = placeInstance(graph, definition, box);
  for (const { link, slot, points } of sources) {
    const port = portsOf(definition, "inputs")[slot];
    if (port === undefined) continue;
    const isWidget = widgetsBehind(definition, slot, workflow.definitions).length > 0;
    const to = { node: key, name: port.name, type: port.type, isWidget };
    const made = connect(graph, { node: link.from, slot: link.fromSlot }, to, link.type);
    restorePoints(graph, made, points, box);
  }
  for (const { link, slot, points } of targets) {
    const target = graph.nodes[link.to]?.inputs[link.toSlot];
    if (target === undefined) continue;
    copyLink(graph, link, key, slot, link.to, link.toSlot);
    const moved = graph.nodes[link.to]?.inputs[link.toSlot]?.link ?? null;
    restorePoints(graph, moved, points, box);
  }
  return key;
}

/** An empty subgraph, with its boundary nodes on both sides of a box. */
function blankSubgraph({ id, name }: Named, box: Box): Definition {
  const saved = {
    id,
    version: 1,
    state: { lastGroupId: 0, lastNodeId: 0, lastLinkId: 0, lastRerouteId: 0 },
    revision: 0,
    config: {},
    name,
    inputs: [],
    outputs: [],
    widgets: [],
    nodes: [],
    groups: [],
    links: [],
    extra: {},
  };
  const { definitions: _, ...graph } = emptyGraph();
  const middle = (box.top + box.bottom) / 2 - 60;
  const left = { x: box.left - BOUNDARY_GAP - BOUNDARY_WIDTH, y: middle };
  const right = { x: box.right + BOUNDARY_GAP, y: middle };
  return {
    id,
    name,
    graph: {
      ...graph,
      nodes: {
        [INPUTS]: boundaryNode(INPUTS, BOUNDARY.inputs, left),
        [OUTPUTS]: boundaryNode(OUTPUTS, BOUNDARY.outputs, right),
      },
      order: [INPUTS, OUTPUTS],
      version: 1,
      saved,
    },
  };
}

function boundaryNode(key: string, type: string, position: Point): GraphNode {
  return blankNode(Number(key), type, position, { width: BOUNDARY_WIDTH, height: 60 });
}

/** Copies the reroute points of these links. */
function copyPoints(from: Graph, to: Graph, links: readonly Link[]): void {
  for (const link of links) {
    for (const point of pointsOf(from, link)) to.reroutes[point.key] ??= plain(point);
  }
}

/** Moves the frames that contain only these nodes. */
function moveFrames(from: Graph, to: Graph, taken: ReadonlySet<string>): void {
  const moved = from.groups.filter((group) => {
    const contained = nodesIn(from, group);
    return contained.length > 0 && contained.every((key) => taken.has(key));
  });
  to.groups.push(...moved.map(plain));
  const keys = new Set(moved.map((each) => each.key));
  from.groups = from.groups.filter((each) => !keys.has(each.key));
}

interface Crossing {
  link: Link;
  slot: number;
  /** The points of the wire, from its source on. */
  points: readonly Reroute[];
}

/** Gives a wire that crossed the border its points again, except those among the moved nodes. */
function restorePoints(
  graph: Graph,
  key: string | null,
  points: readonly Reroute[],
  { left, top, right, bottom }: Box,
): void {
  const link = graph.links[key ?? ""];
  if (link === undefined) return;
  let last: string | null = null;
  for (const point of points) {
    const { x, y } = point.position;
    if (x > left && x < right && y > top && y < bottom) continue;
    // The point may still be there, used by other wires of the same output.
    graph.reroutes[point.key] ??= { ...plain(point), parent: last };
    last = point.key;
  }
  link.reroute = last;
}

/** Makes an input port for each outside output that feeds the inside. */
function makeInputPorts(
  workflow: Workflow,
  graph: Graph,
  definition: Definition,
  incoming: readonly Link[],
): Crossing[] {
  const places = new Map<string, number>();
  const crossings: Crossing[] = [];
  for (const link of incoming) {
    const of = graph.nodes[link.to];
    const input = of?.inputs[link.toSlot];
    if (input === undefined) continue;
    const source = `${link.from}/${link.fromSlot}`;
    let slot = places.get(source);
    if (slot === undefined) {
      slot = addPort(workflow, definition, "inputs", { ...portFor(input, link), of });
      places.set(source, slot);
      crossings.push({ link: plain(link), slot, points: pointsOf(graph, link).map(plain) });
    }
    copyLink(definition.graph, link, INPUTS, slot);
  }
  return crossings;
}

function portFor(input: InputSlot, { type }: Link) {
  const name = input.widget ?? input.name;
  const label = name.split(".").at(-1) ?? name;
  return {
    name,
    label,
    type: type === "*" ? input.type : type,
    isOptional: input.saved.shape === 7,
  };
}

/** Makes an output port for each inside output that feeds the outside. */
function makeOutputPorts(
  workflow: Workflow,
  graph: Graph,
  definition: Definition,
  outgoing: readonly Link[],
): Crossing[] {
  const places = new Map<string, number>();
  return outgoing.map((link) => {
    const source = `${link.from}/${link.fromSlot}`;
    let slot = places.get(source);
    if (slot === undefined) {
      const of = graph.nodes[link.from];
      const name = of?.outputs[link.fromSlot]?.name ?? "";
      slot = addPort(workflow, definition, "outputs", { name, type: link.type, of });
      places.set(source, slot);
      const port = portsOf(definition, "outputs")[slot];
      const to = { node: OUTPUTS, name: port?.name ?? "", type: link.type, isWidget: false };
      connect(definition.graph, { node: link.from, slot: link.fromSlot }, to, link.type);
    }
    return { link: plain(link), slot, points: pointsOf(graph, link).map(plain) };
  });
}

/**
 * Adds an instance in the centre of the nodes it replaces, with a socket per port. Returns its key.
 */
function placeInstance(graph: Draft, definition: Definition, box: Box): string {
  const id = graph.lastNodeId + 1;
  const outputs = portsOf(definition, "outputs").map((_, slot) => outputSlot(definition, slot));
  const rows = Math.max(portsOf(definition, "inputs").length, outputs.length);
  const size = { width: 240, height: 24 + rows * 24 };
  const position = {
    x: Math.round((box.left + box.right - size.width) / 2),
    y: Math.round((box.top + box.bottom - size.height) / 2),
  };
  addNode(graph, {
    ...blankNode(id, definition.id, position, size),
    outputs,
    saved: { ...blankSaved(id, definition.id, position, size), widgets_values: [] },
  });
  recordOrigin(graph, String(id), position);
  return String(id);
}
