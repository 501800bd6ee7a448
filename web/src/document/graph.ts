/**
 * The document: what a saved workflow says, as a typed value that is never changed in place.
 *
 * Each part keeps the JSON it was read from in `saved`, so that fields nobody here knows survive.
 * Knows neither the catalog of nodes nor the screen: how a node's widgets are laid out in a saved
 * list is told by whoever reads (`WidgetLayout`).
 */
import type { Json, JsonObject } from "./json";

export type Point = { x: number; y: number };
export type Size = { width: number; height: number };

/** When a node runs, by the numbers that files use. */
export const MODE = { always: 0, muted: 2, bypassed: 4 } as const;

export interface InputSlot {
  name: string;
  type: string;
  link: string | null;
  /** The widget that this slot feeds, if it feeds one. */
  widget: string | null;
  saved: JsonObject;
}

export interface OutputSlot {
  name: string;
  type: string;
  links: string[];
  saved: JsonObject;
}

export interface GraphNode {
  /** `String(id)`: ids are numbers in most files, and strings in some. */
  key: string;
  id: number | string;
  type: string;
  title: string | null;
  position: Point;
  size: Size;
  mode: number;
  collapsed: boolean;
  color: string | null;
  inputs: InputSlot[];
  outputs: OutputSlot[];
  /** Widget values by name; those of nodes nobody knows are called `#0`, `#1` ... */
  values: JsonObject;
  /** The names of the entries of the saved list, in its order. */
  slots: string[];
  saved: JsonObject;
}

export interface Link {
  key: string;
  id: number | string;
  from: string;
  fromSlot: number;
  to: string;
  toSlot: number;
  type: string;
  /** The reroute point nearest to the target, if the wire runs through any. */
  reroute: string | null;
  /** The name on the tags that stand for its line; null where the line is drawn. */
  portal: string | null;
  saved: Json;
}

export interface Group {
  key: string;
  title: string;
  position: Point;
  size: Size;
  color: string | null;
  saved: JsonObject;
}

/** A point that wires run through; drawing only. `parent` is the next one towards the source. */
export interface Reroute {
  key: string;
  position: Point;
  parent: string | null;
  saved: JsonObject;
}

export interface Graph {
  nodes: Record<string, GraphNode>;
  /** Keys of `nodes` in the file's order; later ones are drawn above. */
  order: string[];
  links: Record<string, Link>;
  linkOrder: string[];
  groups: Group[];
  reroutes: Record<string, Reroute>;
  lastNodeId: number;
  lastLinkId: number;
  /** 0.4, or 1 where links are objects. */
  version: number;
  saved: JsonObject;
}

/** A graph that an edit may change (see `log.ts`). */
export type Draft = Graph;

/**
 * A subgraph: what the nodes whose type is `id` are made of. Its boundary lies in its graph as two
 * nodes, `INPUTS` and `OUTPUTS`, so that all that is done to wires is done to theirs, too.
 */
export interface Definition {
  id: string;
  name: string;
  graph: Graph;
}

/** A whole document: the graph at its root, and the subgraphs that lie in it at any depth. */
export interface Workflow extends Graph {
  definitions: Record<string, Definition>;
}

type Definitions = Readonly<Record<string, Definition>>;

/** The subgraph of this id; a file may call a node's type anything, `constructor` too. */
export function subgraphOf(
  definitions: Definitions,
  id: string | undefined,
): Definition | undefined {
  return id !== undefined && Object.hasOwn(definitions, id) ? definitions[id] : undefined;
}

/** The node inside a subgraph whose outputs are the subgraph's inputs. */
export const INPUTS = "-10";
/** The node inside a subgraph whose inputs are the subgraph's outputs; they are called by id. */
export const OUTPUTS = "-20";

export function isBoundary(key: string): boolean {
  return key === INPUTS || key === OUTPUTS;
}

/** What a slot is called on the screen: its name is what it is found by. */
export function slotLabel(slot: InputSlot | OutputSlot): string {
  const { label, name } = slot.saved;
  if (typeof label === "string" && label !== "") return label;
  return typeof name === "string" ? name : slot.name;
}

/** One entry of a saved list of widget values. */
export interface WidgetSlot {
  name: string;
  /**
   * `forced`: an input without a widget, which only old files hold an entry for.
   * `control`: what to do with a seed after a run; held only where the value is such a word.
   */
  kind: "value" | "forced" | "control" | "extra";
  default: Json;
  /** The entries that follow when the value is this key. */
  brings?: Readonly<Record<string, readonly WidgetSlot[]>>;
}

/** The entries that a node of this type saves, or undefined where nobody knows the type. */
export type WidgetLayout = (type: string) => readonly WidgetSlot[] | undefined;

export function emptyGraph(): Workflow {
  return {
    nodes: {},
    order: [],
    links: {},
    linkOrder: [],
    groups: [],
    reroutes: {},
    lastNodeId: 0,
    lastLinkId: 0,
    version: 0.4,
    definitions: {},
    saved: {
      revision: 0,
      last_node_id: 0,
      last_link_id: 0,
      nodes: [],
      links: [],
      groups: [],
      config: {},
      extra: {},
      version: 0.4,
    },
  };
}

/** The link that feeds a node's input of this name. */
export function linkInto(graph: Graph, node: GraphNode, input: string): Link | undefined {
  const slot = node.inputs.find((each) => each.name === input);
  return slot?.link == null ? undefined : graph.links[slot.link];
}
