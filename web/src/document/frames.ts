/**
 * Frames (groups in files): membership, moving and resizing with contents, collapsing, and setting
 * the mode of all members. Membership is geometric, as in files; what only this editor stores of a
 * frame is in its `calotype` member.
 */
import { type Box, type Boxes, boundsOfBoxes, centreOf, containsPoint, encloses } from "./arrange";
import { moveNodes } from "./edit";
import { type Draft, type Graph, type GraphNode, type Group, MODE, type Point } from "./graph";
import { isObject, type JsonObject } from "./json";

interface FrameState {
  /** Whether the frame is drawn as one box. */
  collapsed: boolean;
  /**
   * The members when the frame was collapsed: nodes put into its empty area later do not belong to
   * it.
   */
  nodes: readonly string[];
  /** The mode set on all members, and the modes they had before, by key. */
  mode: number | null;
  modes: Readonly<Record<string, number>>;
}

interface FrameContents {
  frames: Record<string, Point>;
  nodes: Record<string, Point>;
}

/** The height of a frame's title above its contents, in canvas units. */
export const FRAME_TITLE = 36;
export const FRAME_PADDING = 16;

export function frameState(group: Group): FrameState {
  const own = isObject(group.saved.calotype) ? group.saved.calotype : {};
  const modes = isObject(own.modes) ? own.modes : {};
  return {
    collapsed: own.collapsed === true,
    nodes: Array.isArray(own.nodes) ? own.nodes.map(String) : [],
    mode: typeof own.mode === "number" ? own.mode : null,
    modes: Object.fromEntries(
      Object.entries(modes).flatMap(([key, mode]) =>
        typeof mode === "number" ? [[key, mode]] : [],
      ),
    ),
  };
}

function setFrameState(group: Group, state: FrameState): void {
  const { calotype: _, ...others } = group.saved;
  const own: JsonObject = {
    ...(state.collapsed ? { collapsed: true, nodes: [...state.nodes] } : {}),
    ...(state.mode === null ? {} : { mode: state.mode, modes: { ...state.modes } }),
  };
  group.saved = Object.keys(own).length === 0 ? others : { ...others, calotype: own };
}

export function frameBox({ position, size }: Group): Box {
  return { ...position, ...size };
}

export function frameOf(graph: Graph, key: string): Group | undefined {
  return graph.groups.find((each) => each.key === key);
}

/** The nodes whose centre is in the frame; of a collapsed frame, the members it had. */
export function nodesIn(graph: Graph, group: Group): string[] {
  const { collapsed, nodes } = frameState(group);
  if (collapsed) return nodes.filter((key) => key in graph.nodes);
  const box = frameBox(group);
  const collapsedNodes = new Set(
    graph.groups.map(frameState).flatMap((each) => (each.collapsed ? each.nodes : [])),
  );
  return graph.order.filter((key) => {
    const node = graph.nodes[key];
    if (node === undefined || !containsPoint(box, nodeCentre(node))) return false;
    return !collapsedNodes.has(key) || inCollapsedFrame(graph, box, key);
  });
}

/** A node in a collapsed frame counts as being where that frame is. */
function inCollapsedFrame(graph: Graph, box: Box, key: string): boolean {
  return graph.groups.some(
    (each) => frameState(each).nodes.includes(key) && encloses(box, frameBox(each)),
  );
}

function nodeCentre({ position, size }: GraphNode): Point {
  return centreOf({ ...position, ...size });
}

/** The frames completely inside this one. Of two equal frames the later is inside the earlier. */
export function framesIn(graph: Graph, group: Group): Group[] {
  const index = graph.groups.indexOf(group);
  const box = frameBox(group);
  return graph.groups.filter((each, at) => {
    if (each === group || !encloses(box, frameBox(each))) return false;
    return at > index || !encloses(frameBox(each), box);
  });
}

/** The smallest frame that contains a node. */
export function frameAround(graph: Graph, key: string): Group | undefined {
  const node = graph.nodes[key];
  if (node === undefined) return undefined;
  const centre = nodeCentre(node);
  return graph.groups
    .filter((each) => {
      const { collapsed, nodes } = frameState(each);
      return collapsed ? nodes.includes(key) : containsPoint(frameBox(each), centre);
    })
    .sort((one, other) => area(one) - area(other))[0];
}

function area({ size }: Group): number {
  return size.width * size.height;
}

/** A frame with everything that moves with it, and the position of each. */
export function contentsOf(graph: Graph, group: Group): FrameContents {
  const frames = [group, ...framesIn(graph, group)];
  const nodes = new Set(frames.flatMap((each) => nodesIn(graph, each)));
  return {
    frames: Object.fromEntries(frames.map((each) => [each.key, each.position])),
    nodes: Object.fromEntries(
      [...nodes].flatMap((key) => {
        const node = graph.nodes[key];
        return node === undefined ? [] : [[key, node.position]];
      }),
    ),
  };
}

/** Moves the contents by an offset from the positions in `contents`. */
export function moveContents(graph: Draft, contents: FrameContents, by: Point): void {
  const moved = (from: Point) => ({ x: from.x + by.x, y: from.y + by.y });
  for (const [key, from] of Object.entries(contents.frames)) {
    const group = frameOf(graph, key);
    if (group !== undefined) group.position = moved(from);
  }
  const places = Object.entries(contents.nodes).filter(([key]) => key in graph.nodes);
  moveNodes(graph, Object.fromEntries(places.map(([key, from]) => [key, moved(from)])));
}

export function placeFrame(graph: Draft, key: string, { x, y, width, height }: Box): void {
  const group = frameOf(graph, key);
  if (group === undefined) return;
  group.position = { x, y };
  group.size = { width, height };
}

/** The box of a frame around these boxes; null for none. */
export function frameBoxAround(boxes: Iterable<Box>): Box | null {
  const bounds = boundsOfBoxes(boxes);
  return bounds === null
    ? null
    : {
        x: bounds.x - FRAME_PADDING,
        y: bounds.y - FRAME_PADDING - FRAME_TITLE,
        width: bounds.width + 2 * FRAME_PADDING,
        height: bounds.height + 2 * FRAME_PADDING + FRAME_TITLE,
      };
}

/** Fits a frame, and the frames inside it first, to their contents. */
export function fitFrame(graph: Draft, key: string, boxes: Boxes): void {
  const group = frameOf(graph, key);
  if (group === undefined) return;
  const inner = framesIn(graph, group);
  const nodes = nodesIn(graph, group);
  for (const each of [...inner].sort((one, other) => area(one) - area(other))) {
    fitFrame(graph, each.key, boxes);
  }
  fitToBoxes(group, [...nodes.flatMap((each) => boxes.get(each) ?? []), ...inner.map(frameBox)]);
}

/** Fits a frame to boxes; an empty frame does not change. */
export function fitToBoxes(group: Group, boxes: readonly Box[]): void {
  const box = frameBoxAround(boxes);
  if (box === null) return;
  group.position = { x: box.x, y: box.y };
  group.size = { width: box.width, height: box.height };
}

export function setFrameCollapsed(graph: Draft, key: string, collapsed: boolean): void {
  const group = frameOf(graph, key);
  if (group === undefined) return;
  const nodes = collapsed ? nodesIn(graph, group) : [];
  setFrameState(group, { ...frameState(group), collapsed, nodes });
}

/**
 * Sets the mode of all nodes of a frame and stores their previous modes; the same mode again, or
 * `always`, restores them. A node whose mode was changed in between keeps it.
 */
export function toggleFrameMode(graph: Draft, key: string, mode: number): void {
  const group = frameOf(graph, key);
  if (group === undefined) return;
  const state = frameState(group);
  const restored = restoreModes(graph, state);
  if (state.mode === mode || mode === MODE.always) {
    setFrameState(group, { ...state, mode: null, modes: {} });
    return;
  }
  const modes: Record<string, number> = {};
  for (const each of Object.keys(contentsOf(graph, group).nodes)) {
    const node = graph.nodes[each];
    if (node === undefined) continue;
    modes[each] = restored.get(each) ?? node.mode;
    node.mode = mode;
  }
  setFrameState(group, { ...state, mode, modes });
}

function restoreModes(graph: Draft, { mode, modes }: FrameState): Map<string, number> {
  const restored = new Map<string, number>();
  for (const [key, before] of Object.entries(modes)) {
    const node = graph.nodes[key];
    if (node === undefined || node.mode !== mode) continue;
    node.mode = before;
    restored.set(key, before);
  }
  return restored;
}
