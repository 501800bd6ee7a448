/**
 * The rows of the node library: bookmarks and recently used nodes, then all nodes as a tree by
 * category or by pack; while something is typed, what it finds.
 */
import type { Catalog } from "../../api/catalog";
import type { NodeSchema } from "../../api/types";
import { packOf } from "./query";
import { type Found, search, type UsageStats } from "./search";

export type LibraryOrder = "category" | "pack";

interface RowPlace {
  /** Unique among the rows. */
  id: string;
  /** The depth in the tree, from 1. */
  level: number;
  /** The row's number among its siblings, and their count. */
  place: number;
  siblings: number;
}

export interface LibraryHeading extends RowPlace {
  kind: "heading";
  /** "bookmarks" and "recent" are the library's own; the others keep their authors' names. */
  shelf: "bookmarks" | "recent" | "category" | "pack";
  label: string;
  open: boolean;
  /** The number of nodes below it. */
  count: number;
}

export interface LibraryNode extends RowPlace {
  kind: "node";
  found: Found;
}

export type LibraryRow = LibraryHeading | LibraryNode;

interface LibraryQuery {
  catalog: Catalog;
  usage: UsageStats;
  bookmarks: readonly string[];
  order: LibraryOrder;
  typed: string;
  /** The ids of headings that the user opened or closed: shelves begin open, categories closed. */
  turned: ReadonlySet<string>;
}

const MAX_RECENT = 12;

export function libraryRows(query: LibraryQuery): LibraryRow[] {
  const { catalog, usage, typed } = query;
  if (typed.trim() !== "") {
    const found = search(catalog, typed, usage);
    return found.map((each, index) => ({
      kind: "node",
      id: `found/${each.schema.class_type}`,
      found: each,
      level: 1,
      place: index + 1,
      siblings: found.length,
    }));
  }
  const marked = query.bookmarks.flatMap((type) => catalog[type] ?? []);
  const recent = usage.recent.flatMap((type) => catalog[type] ?? []).slice(0, MAX_RECENT);
  const shelves: Branch[] = [
    { ...emptyBranch("bookmarks", "bookmarks", ""), nodes: marked },
    { ...emptyBranch("recent", "recent", ""), nodes: recent },
  ].filter(({ nodes }) => nodes.length > 0);
  const root = treeOf(catalog, query.order);
  const rows: LibraryRow[] = [];
  addRows(rows, query.turned, [...shelves, ...branchesIn(root)], sorted(root.nodes), 1);
  return rows;
}

interface Branch {
  id: string;
  shelf: LibraryHeading["shelf"];
  label: string;
  branches: Map<string, Branch>;
  nodes: NodeSchema[];
}

function emptyBranch(id: string, shelf: Branch["shelf"], label: string): Branch {
  return { id, shelf, label, branches: new Map(), nodes: [] };
}

function treeOf(catalog: Catalog, order: LibraryOrder): Branch {
  const root = emptyBranch(order, order, "");
  for (const schema of Object.values(catalog)) {
    const categories = schema.category.split("/").filter((each) => each !== "");
    const start = order === "pack" ? branchOf(root, packOf(schema), "pack") : root;
    categories
      .reduce((branch, name) => branchOf(branch, name, "category"), start)
      .nodes.push(schema);
  }
  return root;
}

function branchOf(parent: Branch, name: string, shelf: Branch["shelf"]): Branch {
  const found = parent.branches.get(name);
  if (found !== undefined) return found;
  const made = emptyBranch(`${parent.id}/${name}`, shelf, name);
  parent.branches.set(name, made);
  return made;
}

/** By name; categories for tests and the like, which begin with an underscore, come last. */
function branchesIn({ branches }: Branch): Branch[] {
  const isLast = ({ label }: Branch) => Number(label.startsWith("_"));
  return [...branches.values()].sort(
    (one, other) => isLast(one) - isLast(other) || one.label.localeCompare(other.label),
  );
}

/** By name; deprecated nodes come last. */
function sorted(nodes: readonly NodeSchema[]): NodeSchema[] {
  return [...nodes].sort(
    (one, other) =>
      Number(one.deprecated) - Number(other.deprecated) ||
      one.display_name.localeCompare(other.display_name),
  );
}

function countIn({ branches, nodes }: Branch): number {
  return [...branches.values()].reduce((sum, each) => sum + countIn(each), nodes.length);
}

function addRows(
  rows: LibraryRow[],
  turned: ReadonlySet<string>,
  branches: readonly Branch[],
  nodes: readonly NodeSchema[],
  level: number,
  parent = "",
): void {
  const siblings = branches.length + nodes.length;
  branches.forEach((branch, index) => {
    const { id, shelf, label } = branch;
    const isShelf = shelf === "bookmarks" || shelf === "recent";
    const open = isShelf !== turned.has(id);
    const place = index + 1;
    rows.push({
      kind: "heading",
      id,
      shelf,
      label: label.replace(/^_/, ""),
      open,
      count: countIn(branch),
      level,
      place,
      siblings,
    });
    // Shelves are in the order of the user's bookmarks and uses.
    const inside = isShelf ? branch.nodes : sorted(branch.nodes);
    if (open) addRows(rows, turned, branchesIn(branch), inside, level + 1, id);
  });
  nodes.forEach((schema, index) => {
    rows.push({
      kind: "node",
      id: `${parent}/${schema.class_type}`,
      found: { schema, marks: [], also: null },
      level,
      place: branches.length + index + 1,
      siblings,
    });
  });
}

/** The index of the heading that a row is under; the row's own where it is under none. */
export function headingAbove(rows: readonly LibraryRow[], from: number): number {
  const level = rows[from]?.level ?? 1;
  for (let index = from - 1; index >= 0; index -= 1) {
    if ((rows[index]?.level ?? 0) < level) return index;
  }
  return from;
}
