/** The rows of the node library. */
import { describe, expect, test } from "vitest";
import {
  headingAbove,
  type LibraryOrder,
  type LibraryRow,
  libraryRows,
} from "../../src/state/finding/library";
import { builtinCatalog } from "../builtinCatalog";

const built = builtinCatalog();
const [sample] = Object.values(built);
if (sample === undefined) throw new Error("The catalog is empty.");
const foreign = {
  ...sample,
  class_type: "Foreign",
  display_name: "Foreign",
  category: "fun/deep",
  python_module: "custom_nodes.fun_pack",
};
const catalog = { ...built, Foreign: foreign };

interface Asked {
  typed?: string;
  order?: LibraryOrder;
  turned?: readonly string[];
  bookmarks?: readonly string[];
  recent?: readonly string[];
}

function rows({ typed = "", order = "category", turned = [], bookmarks = [], recent = [] }: Asked) {
  const usage = { used: {}, recent };
  return libraryRows({ catalog, usage, bookmarks, order, typed, turned: new Set(turned) });
}

const told = (row: LibraryRow | undefined) =>
  row === undefined ? "" : row.kind === "node" ? row.found.schema.class_type : row.id;

describe("by category", () => {
  test("all categories are closed, and together count every node once", () => {
    const all = rows({});
    // A node without a category stands beside the categories.
    const alone = all.flatMap((each) => (each.kind === "node" ? [each.found.schema.category] : []));
    expect(alone.every((category) => category === "")).toBe(true);
    expect(all.every((each) => each.kind === "node" || !each.open)).toBe(true);
    const counted = all.reduce((sum, each) => sum + (each.kind === "heading" ? each.count : 1), 0);
    expect(counted).toBe(Object.keys(catalog).length);
  });
  test("an open category has its categories first, then its nodes, deprecated ones last", () => {
    const all = rows({ turned: ["category/latent"] });
    const start = all.findIndex((each) => each.id === "category/latent");
    const inside = all.slice(start + 1).filter((each) => each.level === 2);
    const kinds = inside.map((each) => each.kind);
    expect(kinds.indexOf("node")).toBeGreaterThan(0);
    expect(kinds.lastIndexOf("heading")).toBeLessThan(kinds.indexOf("node"));
    const old = inside.flatMap((each) =>
      each.kind === "node" ? [each.found.schema.deprecated] : [],
    );
    expect(old).toEqual([...old].sort((one, other) => Number(one) - Number(other)));
    expect(inside.map(({ place }) => place)).toEqual(inside.map((_, index) => index + 1));
    expect(new Set(inside.map(({ siblings }) => siblings))).toEqual(new Set([inside.length]));
    expect(told(all[headingAbove(all, start + 2)])).toBe("category/latent");
  });
  test("ids are unique with everything open, bookmarks and recent nodes included", () => {
    const marked = { bookmarks: ["KSampler"], recent: ["KSampler"] };
    let turned: string[] = [];
    for (let before = -1; before !== turned.length; ) {
      before = turned.length;
      turned = rows({ ...marked, turned }).flatMap((each) =>
        each.kind === "heading" && (each.shelf === "category" || each.shelf === "pack")
          ? [each.id]
          : [],
      );
    }
    const all = rows({ ...marked, turned });
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(all.filter((each) => told(each) === "KSampler").length).toBe(3);
    const shown = new Set(all.flatMap((each) => (each.kind === "node" ? [told(each)] : [])));
    expect(shown.size).toBe(Object.keys(catalog).length);
  });
});

test("by pack, each pack has its own categories", () => {
  const opened = ["pack/fun_pack", "pack/fun_pack/fun", "pack/fun_pack/fun/deep"];
  const all = rows({ order: "pack", turned: opened });
  expect(all.map(told)).toEqual(["pack/built-in", ...opened, "Foreign"]);
  expect(all.map(({ level }) => level)).toEqual([1, 1, 2, 3, 4]);
});

test("bookmarks and recent nodes come first, in the user's order; what is not here is left out", () => {
  const asked = { bookmarks: ["VAEDecode", "Gone", "KSampler"], recent: ["LoadImage"] };
  expect(rows(asked).slice(0, 5).map(told)).toEqual([
    "bookmarks",
    "VAEDecode",
    "KSampler",
    "recent",
    "LoadImage",
  ]);
  expect(told(rows({ ...asked, turned: ["bookmarks"] })[1])).toBe("recent");
  expect(rows({ bookmarks: ["Gone"] })[0]?.id.startsWith("category/")).toBe(true);
});

test("a search lists the nodes alone, and filters work", () => {
  const found = rows({ typed: "sampler", bookmarks: ["VAEDecode"] });
  expect(told(found[0])).toBe("KSampler");
  expect(found.every((each) => each.kind === "node" && each.level === 1)).toBe(true);
  expect(rows({ typed: "@fun" }).map(told)).toEqual(["Foreign"]);
  expect(rows({ typed: "zzzzzz" })).toEqual([]);
});
