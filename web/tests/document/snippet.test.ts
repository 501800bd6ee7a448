/** What is copied with nodes, and what pasted nodes are connected to. */
import { expect, test } from "vitest";
import type { JsonObject } from "../../src/document/json";
import { readGraph } from "../../src/document/read";
import { pointsOf } from "../../src/document/reroute";
import { copyNodes, pasteNodes } from "../../src/document/snippet";
import { writeGraph } from "../../src/document/write";

const layout = () => undefined;

/** 1 feeds 2 and 3 through point 1, 2 also through point 2; 2 feeds 3 as portal "sky". */
const file: JsonObject = {
  last_node_id: 3,
  last_link_id: 13,
  nodes: [1, 2, 3].map((id) => ({
    id,
    type: "Any",
    pos: [id * 300, 100],
    size: [200, 80],
    inputs: [
      { name: "a", type: "X", link: id === 2 ? 11 : id === 3 ? 12 : null },
      { name: "b", type: "X", link: id === 3 ? 13 : null },
    ],
    outputs: [{ name: "x", type: "X", links: id === 1 ? [11, 12] : id === 2 ? [13] : [] }],
  })),
  links: [
    [11, 1, 0, 2, 0, "X"],
    [12, 1, 0, 3, 0, "X"],
    [13, 2, 0, 3, 1, "X"],
  ],
  groups: [
    { id: 1, title: "two and three", bounding: [580, 0, 540, 240], color: "#123" },
    { id: 2, title: "all", bounding: [0, 0, 1400, 400] },
    {
      id: 3,
      title: "two",
      bounding: [590, 10, 240, 200],
      calotype: { collapsed: true, nodes: ["2"], mode: 4, modes: { "2": 0 } },
    },
  ],
  config: {},
  extra: {
    reroutes: [
      { id: 1, pos: [520, 50], linkIds: [11, 12] },
      { id: 2, pos: [560, 50], parentId: 1, linkIds: [11] },
    ],
    linkExtensions: [
      { id: 11, parentId: 2 },
      { id: 12, parentId: 1 },
    ],
    linkPresentation: { "13": { hidden: true, label: "sky" } },
  },
  version: 0.4,
};

test("frames that hold nothing else, points and names of the wires inside come along", () => {
  const graph = readGraph(file, layout);
  const snippet = copyNodes(graph, ["2", "3"]);
  expect(snippet.groups).toMatchObject([{ title: "two and three" }, { title: "two" }]);
  expect(snippet.links).toHaveLength(3);
  expect(snippet.extra).toEqual({ linkPresentation: { "13": { hidden: true, label: "sky" } } });

  const all = copyNodes(graph, ["1", "2", "3"]);
  const target = readGraph(file, layout);
  const keys = pasteNodes(target, JSON.parse(JSON.stringify(all)), layout, { x: 300, y: 600 });
  expect(keys).toEqual(["4", "5", "6"]);
  const [first, second, third] = ["14", "15", "16"].map((key) => target.links[key]);
  if (!(first && second && third)) throw new Error("no links");
  expect(pointsOf(target, first).map((each) => each.position)).toEqual([
    { x: 520, y: 550 },
    { x: 560, y: 550 },
  ]);
  expect(pointsOf(target, second).map((each) => each.key)).toEqual(["3"]);
  expect(third.portal).toBe("sky");
  expect(target.groups.map((each) => each.title)).toEqual([
    "two and three",
    "all",
    "two",
    "two and three",
    "all",
    "two",
  ]);
  expect(target.groups[5]?.position).toEqual({ x: 590, y: 510 });
  expect(target.groups[5]?.saved.calotype).toMatchObject({ nodes: ["5"], modes: { "5": 0 } });
  const written = writeGraph(target);
  expect(written.extra).toMatchObject({
    reroutes: [
      { id: 1, linkIds: [11, 12] },
      { id: 2, linkIds: [11] },
      { id: 3, linkIds: [14, 15] },
      { id: 4, parentId: 3, linkIds: [14] },
    ],
  });
});

test("nodes pasted with their wires hang on the same sources, by a straight line", () => {
  const graph = readGraph(file, layout);
  const snippet = copyNodes(graph, ["2"]);
  const [key = ""] = pasteNodes(graph, snippet, layout, { x: 0, y: 0 }, true);
  const link = graph.links[graph.nodes[key]?.inputs[0]?.link ?? ""];
  expect(link).toMatchObject({ from: "1", reroute: null });
});

test("what is pasted twice at one place does not lie on the first", () => {
  const graph = readGraph(file, layout);
  const snippet = copyNodes(graph, ["2"]);
  const places = [0, 1, 2].map(() => {
    const [key = ""] = pasteNodes(graph, snippet, layout, { x: 40, y: 900 });
    return graph.nodes[key]?.position;
  });
  expect(places).toEqual([
    { x: 40, y: 900 },
    { x: 72, y: 932 },
    { x: 104, y: 964 },
  ]);
});
