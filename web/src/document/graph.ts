/**
 * The document: a saved workflow as a typed, immutable value.
 *
 * Each part stores the JSON it was read from in `saved`, so that fields unknown to the editor
 * survive. The order of widget values in a saved list depends on the node's class; callers pass it
 * as a `WidgetLayout`.
 */
import type { Json, JsonObject } from "./json";

export type Point = { x: number; y: number };
export type Size = { width: number; height: number };

/** When a node runs, by the numbers in files. */
export const MODE = { always: 0, muted: 2, bypassed: 4 } as const;

export interface InputSlot {
  name: string;
  type: string;
  link: string | null;
  /** The widget that this slot feeds, if any. */
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
  /** Widget values by name; those of unknown classes are named `#0`, `#1` ... */
  values: JsonObject;
  /** The names of the entries of the saved list, in order. */
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
  /** The reroute point nearest to the target, if the wire has any. */
  reroute: string | null;
  /** The name on the tags of a hidden wire; null where the wire is drawn. */
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

/**
 * A point that wires pass through; affects drawing only. `parent` is the next one towards the
 * source.
 */
export interface Reroute {
  key: string;
  position: Point;
  parent: string | null;
  saved: JsonObject;
}

export interface Graph {
  nodes: Record<string, GraphNode>;
  /** Keys of `nodes` in the file's order; later nodes are drawn above earlier ones. */
  order: string[];
  links: Record<string, Link>;
  linkOrder: string[];
  groups: Group[];
  reroutes: Record<string, Reroute>;
  lastNodeId: number;
  lastLinkId: number;
  /** The file format's version: 0.4, or 1 where links are objects. */
  version: number;
  saved: JsonObject;
}

/** A graph that an edit may change (see `log.ts`). */
export type Draft = Graph;

/**
 * A subgraph: the contents of nodes whose type is `id`. Its boundary is two nodes in its graph,
 * `INPUTS` and `OUTPUTS`, so that wires to the boundary are edited like all others.
 */
export interface Definition {
  id: string;
  name: string;
  graph: Graph;
}

/** A whole document: the root graph and all its subgraphs, at any depth, in one table. */
export interface Workflow extends Graph {
  definitions: Record<string, Definition>;
}

type Definitions = Readonly<Record<string, Definition>>;

/** The subgraph of this id; an own-property check, as a file may name a type `constructor`. */
export function subgraphOf(
  definitions: Definitions,
  id: string | undefined,
): Definition | undefined {
  return id !== undefined && Object.hasOwn(definitions, id) ? definitions[id] : undefined;
}

/** The key of the boundary node whose outputs are the subgraph's inputs. */
export const INPUTS = "-10";
/** The key of the boundary node whose inputs are the subgraph's outputs. */
export const OUTPUTS = "-20";

export function isBoundary(key: string): boolean {
  return key === INPUTS || key === OUTPUTS;
}

/** The label of a slot on the screen; lookups use its name. */
export function slotLabel(slot: InputSlot | OutputSlot): string {
  const { label, name } = slot.saved;
  if (typeof label === "string" && label !== "") return label;
  return typeof name === "string" ? name : slot.name;
}

/** One entry of a saved list of widget values. */
export interface WidgetSlot {
  name: string;
  /**
   * `forced`: an input without a widget, which has an entry only in old files. `control`: what to
   * do with a seed after a run; present only where the value is one of its words.
   */
  kind: "value" | "forced" | "control" | "extra";
  default: Json;
  /** The entries that follow when the value is this key. */
  nested?: Readonly<Record<string, readonly WidgetSlot[]>>;
}

/**
 * The entries that a node of this type saves; undefined for an unknown type. `drawn` are the inputs
 * for which the node's slots name a widget: scripts of plugins draw some for types of their own.
 */
export type WidgetLayout = (
  type: string,
  drawn?: ReadonlySet<string>,
) => readonly WidgetSlot[] | undefined;

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

/** The link into the node's input of this name. */
export function linkInto(graph: Graph, node: GraphNode, input: string): Link | undefined {
  const slot = node.inputs.find((each) => each.name === input);
  return slot?.link == null ? undefined : graph.links[slot.link];
}
