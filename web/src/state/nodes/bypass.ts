/**
 * Effects of muting and bypassing: which input a bypassed node passes to which output, and which
 * nodes and wires are idle because nothing arrives. An input of any type passes on only what the
 * target accepts. The server has the same rule (graph/workflow_links.py).
 */
import type { Catalog } from "../../api/catalog";
import { type Graph, type GraphNode, isBoundary, type Link, MODE } from "../../document/graph";
import { inputsOf } from "./inputs";
import { fits } from "./sockets";
import { isSocket } from "./widgets";

interface BypassRoute {
  /** An input's name. */
  input: string;
  /** An output's index. */
  output: number;
  type: string;
}

/** The input that a bypassed node passes to an output, for a target that takes the type `accepted`. */
function bypassInput(node: GraphNode, slot: number, accepted: string) {
  const { inputs } = node;
  const same = inputs[slot];
  if (accepted === "*") return same ?? inputs[0];
  const outputType = node.outputs[slot]?.type ?? accepted;
  if (same !== undefined && fits(same.type, outputType) && fits(same.type, accepted)) return same;
  return (
    inputs.find((each) => each.type === accepted) ??
    inputs.find((each) => fits(each.type, accepted))
  );
}

/** All connected inputs that a bypassed node passes through. */
export function bypassRoutes({ nodes, links }: Graph, node: GraphNode): BypassRoute[] {
  return node.outputs.flatMap(({ type }, output) => {
    const input = bypassInput(node, output, type);
    const link = input?.link == null ? undefined : links[input.link];
    if (input === undefined || link === undefined) return [];
    if (!fits(carriedType(nodes[link.from], link), type)) return [];
    return [{ input: input.name, output, type }];
  });
}

/** The type that a wire carries. */
function carriedType(source: GraphNode | undefined, { fromSlot, type }: Link): string {
  return source?.outputs[fromSlot]?.type ?? type;
}

interface Idle {
  /** Nodes that will not run although they are not muted themselves. */
  nodes: ReadonlySet<string>;
  /** Wires that carry nothing. */
  links: ReadonlySet<string>;
}

const NONE: Idle = { nodes: new Set(), links: new Set() };
const cache = new WeakMap<
  Graph["nodes"],
  { links: Graph["links"]; catalog: Catalog; idle: Idle }
>();

export function idleParts(graph: Graph, catalog: Catalog): Idle {
  const cached = cache.get(graph.nodes);
  if (cached?.links === graph.links && cached.catalog === catalog) return cached.idle;
  const idle = idleOf(graph, catalog);
  cache.set(graph.nodes, { links: graph.links, catalog, idle });
  return idle;
}

function idleOf(graph: Graph, catalog: Catalog): Idle {
  if (!Object.values(graph.nodes).some((each) => each.mode !== MODE.always)) return NONE;
  const search = new Search(graph, catalog);
  const nodes = new Set(Object.keys(graph.nodes).filter((key) => search.isIdle(key)));
  const links = Object.values(graph.links).filter((each) => {
    const target = graph.nodes[each.to];
    return search.carriesNothing(each) || target?.mode === MODE.muted || nodes.has(each.to);
  });
  return { nodes, links: new Set(links.map((each) => each.key)) };
}

class Search {
  readonly #graph: Graph;
  readonly #catalog: Catalog;
  /** A node being examined counts as running, so that a cycle ends the search. */
  readonly #known = new Map<string, boolean>();

  constructor(graph: Graph, catalog: Catalog) {
    this.#graph = graph;
    this.#catalog = catalog;
  }

  /** Whether a required input of the node gets nothing because of muted or bypassed nodes. */
  isIdle(key: string): boolean {
    const cached = this.#known.get(key);
    if (cached !== undefined) return cached;
    this.#known.set(key, false);
    const node = this.#graph.nodes[key];
    const is =
      node !== undefined &&
      !isBoundary(key) &&
      node.mode === MODE.always &&
      node.inputs.some(({ name, link }) => {
        const wire = link === null ? undefined : this.#graph.links[link];
        return wire !== undefined && this.#needs(node, name) && this.carriesNothing(wire);
      });
    this.#known.set(key, is);
    return is;
  }

  carriesNothing(link: Link, accepted = link.type, passed = 0): boolean {
    const source = this.#graph.nodes[link.from];
    if (source === undefined || source.mode === MODE.muted) return true;
    if (source.mode !== MODE.bypassed) {
      return this.isIdle(source.key) || (passed > 0 && !fits(carriedType(source, link), accepted));
    }
    const input = bypassInput(source, link.fromSlot, accepted);
    const before = input?.link == null ? undefined : this.#graph.links[input.link];
    // A cycle of bypassed nodes passes nothing on.
    if (before === undefined || passed > this.#graph.linkOrder.length) return true;
    return this.carriesNothing(before, accepted, passed + 1);
  }

  /** Only required sockets: a widget has a value, and an optional input may be absent. */
  #needs(node: GraphNode, name: string): boolean {
    const schema = this.#catalog[node.type];
    if (schema === undefined) return true;
    const input = inputsOf(schema, node).find((each) => each.name === name);
    return input !== undefined && input.section === "required" && isSocket(input);
  }
}
