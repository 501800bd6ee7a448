/**
 * Damaged files are repaired by the same rules as on the server (tests/dry/graph/test_repair.py).
 */
import { describe, expect, test } from "vitest";
import type { Workflow } from "../../src/document/graph";
import type { Json, JsonObject } from "../../src/document/json";
import { readGraph } from "../../src/document/read";
import { repairLevel } from "../../src/document/repair";
import { writeGraph } from "../../src/document/write";

const layout = () => undefined;

const make = (id: Json, ...links: Json[]): JsonObject => ({
  id,
  type: "Make",
  outputs: [
    { name: "IMAGE", type: "IMAGE", links },
    { name: "M", type: "MASK" },
  ],
  widgets_values: [8],
});
const join = (id: Json, a: Json = null, b: Json = null): JsonObject => ({
  id,
  type: "Join",
  inputs: [
    { name: "a", type: "IMAGE", link: a },
    { name: "b", type: "IMAGE", link: b },
    { name: "t", type: "STRING", link: null, widget: { name: "t" } },
  ],
  outputs: [{ name: "IMAGE", type: "IMAGE", links: [] }],
});

const read = (nodes: Json[], links: Json[] = [], more: JsonObject = {}): Workflow =>
  readGraph({ nodes, links, version: 0.4, ...more }, layout);

/** The source of an input, in the document and after writing and reading it. */
function feeding(workflow: Workflow, node: string, slot = 0): string | null {
  const find = ({ nodes, links }: Workflow) => {
    const link = links[nodes[node]?.inputs[slot]?.link ?? ""];
    if (link === undefined) return null;
    expect(nodes[link.from]?.outputs[link.fromSlot]?.links ?? [link.key]).toContain(link.key);
    expect([link.to, link.toSlot]).toEqual([node, slot]);
    return `${link.from}/${link.fromSlot}`;
  };
  const found = find(workflow);
  expect(find(readGraph(writeGraph(workflow), layout))).toBe(found);
  return found;
}

const SOUND = [make(1, 1), join(2, 1)];
const LINKS: Json[] = [[1, 1, 0, 2, 0, "IMAGE"]];

test("a sound level stays the very value that it was", () => {
  const value = { nodes: SOUND, links: LINKS };
  expect(repairLevel(value, false)).toEqual({
    value,
    damage: { renamed: 0, unread: 0, joined: 0 },
  });
  expect(repairLevel(value, false).value).toBe(value);
});

test.each([
  null,
  5,
  { id: 9, type: null },
  { id: 9 },
  { id: 9, type: "" },
  { id: 9, type: ["A"] },
  {},
])("%j is no node, and is kept in the file", (bad) => {
  const workflow = read([...SOUND, bad], LINKS);
  expect(Object.keys(workflow.nodes)).toEqual(["1", "2"]);
  expect(feeding(workflow, "2")).toBe("1/0");
  expect(writeGraph(workflow).nodes).toContainEqual(bad);
});

test.each([null, true, [1], { a: 1 }, "", Number.NaN])("a node of the id %j gets one", (bad) => {
  const workflow = read([...SOUND, make(bad)], LINKS, { last_node_id: 7 });
  expect(Object.keys(workflow.nodes)).toEqual(["1", "2", "8"]);
  expect(writeGraph(workflow).nodes).toMatchObject([{ id: 1 }, { id: 2 }, { id: 8 }]);
});

test("later nodes with one id get others, in order", () => {
  const added = [make(1), make("40"), make(1), make("x")];
  const workflow = read([...SOUND, ...added], LINKS, { last_node_id: 3 });
  expect(workflow.order).toEqual(["1", "2", "41", "40", "42", "x"]);
  expect(feeding(workflow, "2")).toBe("1/0");
});

test("a link is that of the node which names it: two pasted halves each keep their wire", () => {
  const workflow = read(
    [make(1, 1), join(2, 1), make(1, 2), join(2, 2)],
    [
      [1, 1, 0, 2, 0, "IMAGE"],
      [2, 1, 0, 2, 0, "IMAGE"],
    ],
  );
  expect(feeding(workflow, "2")).toBe("1/0");
  expect(feeding(workflow, "4")).toBe("3/0");
});

test("two links with one id are two, into one node or into two", () => {
  const two = read(
    [make(1, 1), make(2, 1), join(3, 1), join(4, 1)],
    [
      [1, 1, 0, 3, 0, "IMAGE"],
      [1, 2, 0, 4, 0, "IMAGE"],
      [1, 1, 0, 3, 0, "IMAGE"],
    ],
    { last_link_id: 6 },
  );
  expect(two.linkOrder).toEqual(["1", "7"]);
  expect([feeding(two, "3"), feeding(two, "4")]).toEqual(["1/0", "2/0"]);
  const one = read(
    [make(1, 1), make(2, 1), join(3, 1, 1)],
    [
      [1, 1, 0, 3, 0, ""],
      [1, 2, 0, 3, 1, ""],
    ],
  );
  expect([feeding(one, "3", 0), feeding(one, "3", 1)]).toEqual(["1/0", "2/0"]);
});

test.each([[[1]], [[]]])("a link that only the table knows is joined", (named) => {
  const workflow = read([make(1, ...named), join(2)], LINKS);
  expect(feeding(workflow, "2")).toBe("1/0");
});

test.each([
  [[1, 1, 1, 2, 0, "MASK"]],
  [[1, 1, 7, 2, 0, "IMAGE"]],
  [[1, 9, 0, 2, 0, "IMAGE"]],
  [[1, 1, -1, 2, 0, "IMAGE"]],
])("a link that cannot be is not joined: %j", (link) => {
  expect(read([make(1), join(2)], [link]).nodes["2"]?.inputs[0]?.link).toBeNull();
});

test("an input that has a link keeps it", () => {
  const table = [
    [1, 1, 0, 3, 0, "IMAGE"],
    [2, 2, 0, 3, 0, "IMAGE"],
  ];
  expect(feeding(read([make(1, 1), make(2), join(3, 1)], table), "3")).toBe("1/0");
});

test.each([[[]], [null], ["none"], [[null]]])(
  "links are %j: what the nodes know is joined",
  (links) => {
    const workflow = readGraph({ nodes: SOUND, links, version: 0.4 }, layout);
    expect(feeding(workflow, "2")).toBe("1/0");
  },
);

test("a link that two outputs name is not guessed", () => {
  const workflow = read([make(1, 1), make(2, 1), join(3, 1)]);
  expect(workflow.links).toEqual({});
});

test.each(
  [5, "x", [1], [1, 2, "x", 3, 4], {}, [null, null, null, null, null, null]].map((bad) => ({
    bad,
  })),
)("$bad is no link, and is kept in the file", ({ bad }) => {
  const workflow = read(SOUND, [bad, ...LINKS]);
  expect(feeding(workflow, "2")).toBe("1/0");
  expect(writeGraph(workflow).links).toContainEqual(bad);
});

describe("in a subgraph", () => {
  const around = (...definitions: Json[]): Workflow =>
    readGraph(
      {
        nodes: [
          make(1, 1),
          {
            id: 3,
            type: "sub",
            inputs: [{ name: "in", type: "IMAGE", link: 1 }],
            outputs: [{ name: "out", type: "IMAGE", links: [2] }],
          },
          join(4, 2),
        ],
        links: [
          [1, 1, 0, 3, 0, ""],
          [2, 3, 0, 4, 0, ""],
        ],
        definitions: { subgraphs: definitions },
        version: 0.4,
      },
      layout,
    );
  const inner = (nodes: Json[]): JsonObject => ({
    id: "sub",
    name: "Sub",
    version: 1,
    inputs: [{ id: "i", name: "in", type: "IMAGE" }],
    outputs: [{ id: "o", name: "out", type: "IMAGE" }],
    nodes,
    links: [
      { id: 1, origin_id: -10, origin_slot: 0, target_id: 1, target_slot: 0 },
      { id: 2, origin_id: 1, origin_slot: 0, target_id: -20, target_slot: 0 },
    ],
  });

  test("damage costs itself only, and the boundary stays what it is", () => {
    const damaged = inner([join(1, 1), make(1), make(-10), make(null), null, make(-20)]);
    const workflow = around(5, { id: 5 }, { id: "x" }, damaged, inner([]));
    const { nodes, links } = workflow.definitions.sub?.graph ?? workflow;
    expect(Object.keys(nodes).sort()).toEqual(["-10", "-20", "1", "2", "3", "4", "5"]);
    expect(links["1"]).toMatchObject({ from: "-10", to: "1" });
    expect(links["2"]).toMatchObject({ from: "1", to: "-20" });
    const written = writeGraph(workflow).definitions as JsonObject;
    expect(written.subgraphs).toHaveLength(5);
    expect(readGraph(writeGraph(workflow), layout).definitions.sub?.graph.order).toEqual(
      workflow.definitions.sub?.graph.order,
    );
  });
});

test("a node that the root calls like a boundary is one of its own", () => {
  const workflow = read([make(-10, 1), join(2, 1)], [[1, -10, 0, 2, 0, "IMAGE"]]);
  expect(workflow.order).toEqual(["3", "2"]);
  expect(feeding(workflow, "2")).toBe("3/0");
});
