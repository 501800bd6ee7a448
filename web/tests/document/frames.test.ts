/** Contents of frames, collapsed frames, and marks of nodes. */
import { describe, expect, test } from "vitest";
import type { Box } from "../../src/document/arrange";
import { moveNodes } from "../../src/document/edit";
import { isPinned, setPaint, setPinned } from "../../src/document/flags";
import {
  contentsOf,
  fitFrame,
  frameAround,
  frameBox,
  frameOf,
  frameState,
  framesIn,
  moveContents,
  nodesIn,
  setFrameCollapsed,
  toggleFrameMode,
} from "../../src/document/frames";
import { type Graph, MODE } from "../../src/document/graph";
import type { Json } from "../../src/document/json";
import { EMPTY_LOG, type Recorded, record, undo } from "../../src/document/log";
import { readGraph } from "../../src/document/read";
import { writeGraph } from "../../src/document/write";

const node = (id: number, x: number, y: number, mode = 0) => ({
  id,
  type: "T",
  pos: [x, y],
  size: [100, 60],
  flags: {},
  mode,
});
const frame = (title: string, bounding: number[]) => ({ title, bounding, color: "#3f789e" });

/** An outer frame with nodes 1 and 2 and an inner one with 2; node 3 is outside. */
const file: Json = {
  nodes: [node(1, 50, 80), node(2, 300, 120, MODE.bypassed), node(3, 900, 100)],
  links: [],
  groups: [frame("outer", [0, 0, 500, 300]), frame("inner", [250, 80, 200, 160])],
  version: 0.4,
};
const open = (): Recorded => ({ graph: readGraph(file, () => undefined), log: EMPTY_LOG });
const edited = (change: (graph: Graph) => void, from: Recorded = open()) =>
  record(from, "edit", change);

function framed(graph: Graph, key: string) {
  const group = frameOf(graph, key);
  if (group === undefined) throw new Error(`There is no frame ${key}.`);
  return group;
}

const modes = (graph: Graph) => graph.order.map((key) => graph.nodes[key]?.mode);

describe("what lies in a frame", () => {
  test("is told by geometry", () => {
    const { graph } = open();
    expect(nodesIn(graph, framed(graph, "0"))).toEqual(["1", "2"]);
    expect(nodesIn(graph, framed(graph, "1"))).toEqual(["2"]);
    expect(framesIn(graph, framed(graph, "0")).map((each) => each.title)).toEqual(["inner"]);
    expect(framesIn(graph, framed(graph, "1"))).toEqual([]);
    expect(["1", "2", "3"].map((key) => frameAround(graph, key)?.title)).toEqual([
      "outer",
      "inner",
      undefined,
    ]);
  });

  test("of two frames that are alike, one lies in the other", () => {
    const twins = { nodes: [], groups: [frame("a", [0, 0, 9, 9]), frame("b", [0, 0, 9, 9])] };
    const graph = readGraph(twins, () => undefined);
    expect(framesIn(graph, framed(graph, "0")).map((each) => each.title)).toEqual(["b"]);
    expect(framesIn(graph, framed(graph, "1"))).toEqual([]);
  });

  test("moves with it, pinned nodes excepted, and what it passes over stays", () => {
    const { graph } = edited((draft) => {
      setPinned(draft, ["1"], true);
      const held = contentsOf(draft, framed(draft, "0"));
      moveContents(draft, held, { x: 450, y: 0 });
      moveContents(draft, held, { x: 800, y: 16 });
    });
    expect(graph.nodes["1"]?.position).toEqual({ x: 50, y: 80 });
    expect(graph.nodes["2"]?.position).toEqual({ x: 1100, y: 136 });
    expect(graph.nodes["3"]?.position).toEqual({ x: 900, y: 100 });
    expect(framed(graph, "1").position).toEqual({ x: 1050, y: 96 });
  });
});

describe("folding a frame up", () => {
  const folded = edited((draft) => setFrameCollapsed(draft, "0", true));

  test("is kept in the file, beside what others know of it", () => {
    const [written] = writeGraph(folded.graph).groups as Json[];
    expect(written).toEqual({
      ...frame("outer", [0, 0, 500, 300]),
      calotype: { collapsed: true, nodes: ["1", "2"] },
    });
    const again = readGraph(writeGraph(folded.graph), () => undefined);
    expect(frameState(framed(again, "0")).collapsed).toBe(true);
    expect(writeGraph(undo(folded).graph)).toEqual(file);
  });

  test("what is put in its empty place is not in it", () => {
    const { graph } = edited((draft) => moveNodes(draft, { "3": { x: 50, y: 200 } }), folded);
    expect(nodesIn(graph, framed(graph, "0"))).toEqual(["1", "2"]);
  });

  test("unfolded, nothing of it is left in the file", () => {
    const { graph } = edited((draft) => setFrameCollapsed(draft, "0", false), folded);
    expect(writeGraph(graph)).toEqual(file);
  });
});

describe("muting a frame as one", () => {
  const muted = edited((draft) => toggleFrameMode(draft, "0", MODE.muted));

  test("mutes all in it, and gives each its own mode back", () => {
    expect(modes(muted.graph)).toEqual([MODE.muted, MODE.muted, MODE.always]);
    const read = { ...muted, graph: readGraph(writeGraph(muted.graph), () => undefined) };
    const { graph } = edited((draft) => toggleFrameMode(draft, "0", MODE.muted), read);
    expect(modes(graph)).toEqual([MODE.always, MODE.bypassed, MODE.always]);
    expect(writeGraph(graph)).toEqual(file);
  });

  test("another mode keeps what was remembered first", () => {
    const bypassed = edited((draft) => toggleFrameMode(draft, "0", MODE.bypassed), muted);
    expect(modes(bypassed.graph)).toEqual([MODE.bypassed, MODE.bypassed, MODE.always]);
    const { graph } = edited((draft) => toggleFrameMode(draft, "0", MODE.bypassed), bypassed);
    expect(modes(graph)).toEqual([MODE.always, MODE.bypassed, MODE.always]);
  });

  test("a frame within keeps its own", () => {
    const inner = edited((draft) => toggleFrameMode(draft, "1", MODE.muted));
    const both = edited((draft) => toggleFrameMode(draft, "0", MODE.bypassed), inner);
    const one = edited((draft) => toggleFrameMode(draft, "0", MODE.bypassed), both);
    expect(modes(one.graph)).toEqual([MODE.always, MODE.muted, MODE.always]);
    const { graph } = edited((draft) => toggleFrameMode(draft, "1", MODE.muted), one);
    expect(writeGraph(graph)).toEqual(file);
  });

  test("what was changed in between stays changed", () => {
    const changed = edited((draft) => {
      const one = draft.nodes["1"];
      if (one !== undefined) one.mode = MODE.bypassed;
    }, muted);
    const { graph } = edited((draft) => toggleFrameMode(draft, "0", MODE.muted), changed);
    expect(modes(graph)).toEqual([MODE.bypassed, MODE.bypassed, MODE.always]);
  });
});

test("a frame is made as large as what it holds, frames within it first", () => {
  const { graph } = edited((draft) => {
    const boxes = new Map<string, Box>([
      ["1", { x: 50, y: 50, width: 100, height: 90 }],
      ["2", { x: 300, y: 90, width: 100, height: 90 }],
    ]);
    fitFrame(draft, "0", boxes);
  });
  expect(frameBox(framed(graph, "1"))).toEqual({ x: 284, y: 38, width: 132, height: 158 });
  expect(frameBox(framed(graph, "0"))).toEqual({ x: 34, y: -14, width: 398, height: 226 });
});

describe("what files say of a node", () => {
  test("a pinned node does not move until it is free", () => {
    const pinned = edited((draft) => {
      setPinned(draft, ["1"], true);
      moveNodes(draft, { "1": { x: 0, y: 0 }, "3": { x: 0, y: 0 } });
    });
    const { "1": one, "3": three } = pinned.graph.nodes;
    expect(one && isPinned(one)).toBe(true);
    expect(one?.position).toEqual({ x: 50, y: 80 });
    expect(three?.position).toEqual({ x: 0, y: 0 });
    const [written] = writeGraph(pinned.graph).nodes as Json[];
    expect(written).toMatchObject({ flags: { pinned: true } });
    const { graph } = edited((draft) => setPinned(draft, ["1"], false));
    expect(writeGraph(graph)).toEqual(file);
  });

  test("colours are written where others read them, and taken away", () => {
    const painted = edited((draft) => setPaint(draft, ["1"], { color: "#322", bgcolor: "#533" }));
    const [written] = writeGraph(painted.graph).nodes as Json[];
    expect(written).toMatchObject({ color: "#322", bgcolor: "#533" });
    const { graph } = edited((draft) => setPaint(draft, ["1"], null), painted);
    expect(writeGraph(graph)).toEqual(file);
  });
});
