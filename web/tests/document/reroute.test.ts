/** Reroute points and names of wires, as stored in files. */
import { describe, expect, test } from "vitest";
import { addNode, connect, moveNodes, removeLink, removeNodes } from "../../src/document/edit";
import { type Draft, emptyGraph, type GraphNode, type Workflow } from "../../src/document/graph";
import type { JsonObject } from "../../src/document/json";
import { EMPTY_LOG, type Recorded, record, undo } from "../../src/document/log";
import {
  drawAsWire,
  freePortalName,
  makePortal,
  portalOf,
  renamePortal,
} from "../../src/document/portal";
import { readGraph } from "../../src/document/read";
import {
  addReroute,
  linksThrough,
  moveReroutes,
  pointsOf,
  removeReroutes,
  routeThrough,
} from "../../src/document/reroute";
import { writeGraph } from "../../src/document/write";

const layout = () => undefined;

function node(id: number): GraphNode {
  const key = String(id);
  return {
    key,
    id,
    type: "Any",
    title: null,
    position: { x: id * 300, y: 0 },
    size: { width: 200, height: 80 },
    mode: 0,
    collapsed: false,
    color: null,
    inputs: [],
    outputs: [{ name: "out", type: "IMAGE", links: [], saved: { name: "out", type: "IMAGE" } }],
    values: {},
    slots: [],
    saved: { id, type: "Any", pos: [id * 300, 0], size: [200, 80] },
  };
}

/** Node 1 feeds nodes 2 and 3: links 1 and 2. */
function fork(): Workflow {
  const graph = emptyGraph();
  for (const id of [1, 2, 3]) addNode(graph, node(id));
  for (const to of ["2", "3"]) {
    connect(
      graph,
      { node: "1", slot: 0 },
      { node: to, name: "in", type: "IMAGE", isWidget: false },
      "IMAGE",
    );
  }
  return graph;
}

function change(graph: Workflow, edit: (draft: Draft) => void): Recorded {
  return record({ graph, log: EMPTY_LOG }, "Edit", edit);
}

const places = (graph: Workflow, key: string) => {
  const link = graph.links[key];
  return link === undefined ? [] : pointsOf(graph, link).map((each) => each.position.x);
};

describe("reroute points", () => {
  const branched = change(fork(), (draft) => {
    const first = addReroute(draft, "1", { x: 10, y: 0 }, 0);
    const other = draft.links["2"];
    if (other !== undefined) other.reroute = first;
    addReroute(draft, "1", { x: 20, y: 0 }, 1);
  }).graph;

  test("a wire runs through its points in order, and branches share those before they part", () => {
    expect(places(branched, "1")).toEqual([10, 20]);
    expect(places(branched, "2")).toEqual([10]);
    expect(linksThrough(branched, "1")).toEqual(["1", "2"]);
    expect(linksThrough(branched, "2")).toEqual(["1"]);
  });

  test("a point put into a shared stretch is shared", () => {
    const { graph } = change(branched, (draft) => {
      addReroute(draft, "1", { x: 5, y: 0 }, 0);
    });
    expect(places(graph, "1")).toEqual([5, 10, 20]);
    expect(places(graph, "2")).toEqual([5, 10]);
  });

  test("a point that is removed leaves the wire whole", () => {
    const { graph } = change(branched, (draft) => removeReroutes(draft, ["1"]));
    expect(places(graph, "1")).toEqual([20]);
    expect(places(graph, "2")).toEqual([]);
    expect(Object.keys(graph.links)).toEqual(["1", "2"]);
  });

  test("points go with the last wire that runs through them", () => {
    const one = change(branched, (draft) => removeLink(draft, "1")).graph;
    expect(Object.keys(one.reroutes)).toEqual(["1"]);
    const none = change(one, (draft) => removeNodes(draft, ["3"])).graph;
    expect(none.reroutes).toEqual({});
  });

  test("moving is one edit that is undone", () => {
    const moved = change(branched, (draft) => moveReroutes(draft, { 1: { x: 99, y: 9 } }));
    expect(places(moved.graph, "2")).toEqual([99]);
    expect(places(undo(moved).graph, "2")).toEqual([10]);
  });

  test("points go along with nodes where both ends of their wires do", () => {
    const one = change(branched, (draft) => moveNodes(draft, { 1: { x: 340, y: 0 } })).graph;
    expect(places(one, "1")).toEqual([10, 20]);
    const by = (x: number) => ({ 1: { x: 300 + x, y: 0 }, 2: { x: 600 + x, y: 0 } });
    const two = change(branched, (draft) => moveNodes(draft, by(40))).graph;
    expect(places(two, "1")).toEqual([10, 60]);
    const all = change(branched, (draft) =>
      moveNodes(draft, { ...by(40), 3: { x: 940, y: 0 } }),
    ).graph;
    expect(places(all, "1")).toEqual([50, 60]);
  });

  test("a new wire branches off at a point of its own source only", () => {
    const { graph } = change(branched, (draft) => {
      addNode(draft, node(4));
      connect(
        draft,
        { node: "1", slot: 0 },
        { node: "4", name: "in", type: "IMAGE", isWidget: false },
        "IMAGE",
      );
      routeThrough(draft, "2", "4", "in");
      connect(
        draft,
        { node: "4", slot: 0 },
        { node: "3", name: "other", type: "IMAGE", isWidget: false },
        "IMAGE",
      );
      routeThrough(draft, "2", "3", "other");
    });
    expect(places(graph, "3")).toEqual([10, 20]);
    expect(places(graph, "4")).toEqual([]);
  });

  test("a circle of parents in a file is no circle here", () => {
    const graph = fork();
    const point = { position: { x: 0, y: 0 }, saved: {} };
    graph.reroutes = {
      a: { key: "a", parent: "b", ...point },
      b: { key: "b", parent: "a", ...point },
    };
    const link = graph.links["1"];
    if (link === undefined) throw new Error("no link");
    expect(pointsOf(graph, { ...link, reroute: "a" })).toHaveLength(2);
  });

  test("are saved as files of the older form say them, and read again", () => {
    const written = writeGraph(branched);
    expect(written.extra).toEqual({
      reroutes: [
        { id: 1, pos: [10, 0], linkIds: [1, 2] },
        { id: 2, pos: [20, 0], parentId: 1, linkIds: [1] },
      ],
      linkExtensions: [
        { id: 1, parentId: 2 },
        { id: 2, parentId: 1 },
      ],
    });
    const again = readGraph(written, layout);
    expect(places(again, "1")).toEqual([10, 20]);
    expect(writeGraph(again)).toEqual(written);
  });

  test("are saved in the links where these are objects", () => {
    const graph = { ...branched, version: 1, saved: { ...branched.saved, version: 1, state: {} } };
    const written = writeGraph(graph);
    expect(written.extra).toEqual({});
    expect(written.reroutes).toHaveLength(2);
    expect(written.links).toMatchObject([
      { id: 1, parentId: 2 },
      { id: 2, parentId: 1 },
    ]);
    expect(written.state).toMatchObject({ lastRerouteId: 2 });
    expect(writeGraph(readGraph(written, layout))).toEqual(written);
  });
});

describe("named wires", () => {
  const named = change(fork(), (draft) => makePortal(draft, ["1", "2"], "sky")).graph;

  test("one output's wires of one name are one portal", () => {
    const link = named.links["1"];
    if (link === undefined) throw new Error("no link");
    expect(portalOf(named, link)).toEqual(["1", "2"]);
    const renamed = change(named, (draft) => renamePortal(draft, "2", "sea")).graph;
    expect(renamed.links["1"]?.portal).toBe("sea");
    expect(freePortalName(named, link, "sky")).toBe("sky");
    expect(freePortalName(named, { ...link, from: "9" }, "sky")).toBe("sky 2");
  });

  test("are real links in the file, presented as tags", () => {
    const written = writeGraph(named);
    expect(written.links).toHaveLength(2);
    expect(written.extra).toEqual({
      linkPresentation: { 1: { hidden: true, label: "sky" }, 2: { hidden: true, label: "sky" } },
    });
    expect(readGraph(written, layout).links["2"]?.portal).toBe("sky");
    const plain = change(readGraph(written, layout), (draft) => drawAsWire(draft, ["1", "2"]));
    expect(writeGraph(plain.graph).extra).toEqual({ linkPresentation: {} });
  });

  test("what a file says besides, and of links that stay, is kept", () => {
    const file = {
      ...(writeGraph(fork()) as JsonObject),
      extra: { linkPresentation: { 1: { hidden: true, label: "a", note: 7 }, 9: {} }, ds: {} },
    };
    const graph = readGraph(file, layout);
    expect(graph.links["1"]?.portal).toBe("a");
    const { graph: shown } = change(graph, (draft) => drawAsWire(draft, ["1"]));
    expect(writeGraph(shown).extra).toEqual({ linkPresentation: { 1: { note: 7 } }, ds: {} });
  });
});
