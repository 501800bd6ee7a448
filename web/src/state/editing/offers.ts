/** The palette's list: search results, recently used nodes, or the nodes of a category. */

import type { Catalog } from "../../api/catalog";
import type { NodeSchema } from "../../api/types";
import type { Graph } from "../../document/graph";
import { isBlueprint } from "../catalog/blueprints";
import { partnersOf } from "../finding/partners";
import { type Found, type Narrowing, search, type UsageStats } from "../finding/search";
import type { Editor } from "../session/editor";
import type { Palette } from "../session/view";
import { insertionSockets } from "./connecting";
import { refusalToNest } from "./levels";
import { planOf } from "./replacing";

export type Offer =
  | { kind: "node"; id: string; found: Found }
  | { kind: "category"; id: string; path: string; label: string; count: number };

export interface OfferGroup {
  /** In English; null where the list needs no heading. */
  title: string | null;
  offers: readonly Offer[];
}

const MAX_OFFERS = 80;
const MAX_RECENT = 8;

interface OfferQuery {
  catalog: Catalog;
  graph: Graph;
  usage: UsageStats;
  palette: Palette;
  typed: string;
  /** The category shown; null for none, "" for the top level. */
  path: string | null;
}

export function offersOf(editor: Editor, query: OfferQuery): OfferGroup[] {
  const { catalog, usage, palette, typed, path } = query;
  const isPlain =
    palette.pulled === null && palette.into === undefined && palette.replaces === undefined;
  if (typed.trim() !== "" || !isPlain) {
    const found = search(catalog, typed, usage, narrowingOf(editor, query));
    return [{ title: null, offers: found.slice(0, MAX_OFFERS).map(offerOf) }];
  }
  if (path !== null && path !== "") return [{ title: path, offers: contentsOf(catalog, path) }];
  const recent = usage.recent.flatMap((type) => catalog[type] ?? []).slice(0, MAX_RECENT);
  const groups: OfferGroup[] = [{ title: "Categories", offers: contentsOf(catalog, "") }];
  if (recent.length > 0 && path === null) {
    const offers = recent.map((schema) => offerOf({ schema, marks: [], also: null }));
    groups.unshift({ title: "Recently used", offers });
  }
  return groups;
}

function offerOf(found: Found): Offer {
  return { kind: "node", id: `node ${found.schema.class_type}`, found };
}

function narrowingOf(editor: Editor, { graph, palette }: OfferQuery): Narrowing {
  const { pulled, into, replaces } = palette;
  if (into !== undefined) {
    return {
      weightOf: (each) =>
        isBlueprint(each) ||
        refusalToNest(editor, each.class_type) !== null ||
        insertionSockets(editor, each, into) === null
          ? 0
          : 1,
    };
  }
  const old = graph.nodes[replaces?.[0] ?? ""];
  if (old !== undefined)
    return { weightOf: (each) => replacementScore(editor, graph, old.key, each) };
  if (pulled === null) return {};
  const { side, socket: name, type } = pulled;
  const node = graph.nodes[pulled.node]?.type ?? "";
  return { pulled, partners: partnersOf({ side, node, name, type }) };
}

/** How much of a node would be kept in a replacement of this class. */
function replacementScore(editor: Editor, graph: Graph, key: string, schema: NodeSchema): number {
  const old = graph.nodes[key];
  if (old === undefined || old.type === schema.class_type || isBlueprint(schema)) return 0;
  if (refusalToNest(editor, schema.class_type) !== null) return 0;
  const { kept, lost } = planOf(graph, old, schema);
  return (0.1 + kept) / (1 + kept + lost * 2);
}

/** The subcategories of a category, and then its nodes. */
function contentsOf(catalog: Catalog, path: string): Offer[] {
  const prefix = path === "" ? "" : `${path}/`;
  const below = new Map<string, number>();
  const nodes: NodeSchema[] = [];
  for (const schema of Object.values(catalog)) {
    if (schema.category === path) nodes.push(schema);
    else if (schema.category.startsWith(prefix)) {
      const name = schema.category.slice(prefix.length).split("/")[0] ?? "";
      if (name !== "") below.set(name, (below.get(name) ?? 0) + 1);
    }
  }
  const isUnderscored = (name: string) => Number(name.startsWith("_"));
  const names = [...below.keys()].sort(
    (one, other) => isUnderscored(one) - isUnderscored(other) || one.localeCompare(other),
  );
  nodes.sort((one, other) => one.display_name.localeCompare(other.display_name));
  return [
    ...names.map((label): Offer => {
      const full = prefix + label;
      const count = below.get(label) ?? 0;
      return { kind: "category", id: `category ${full}`, path: full, label, count };
    }),
    ...nodes.map((schema) => offerOf({ schema, marks: [], also: null })),
  ];
}

export function parentOf(path: string): string {
  return path.split("/").slice(0, -1).join("/");
}
