/** What a collapsed frame shows of the wires that cross its edge. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { frameBoxAround, frameOf, setFrameCollapsed } from "../../src/document/frames";
import type { Graph, Group } from "../../src/document/graph";
import { parseJson } from "../../src/document/json";
import { readGraph } from "../../src/document/read";
import { foldedEnds, foldingOf } from "../../src/state/nodes/folding";

const path = resolve(import.meta.dirname, "../workflows/seven_nodes.json");

function graphWith(...frames: (readonly string[])[]): Graph {
  const graph = readGraph(parseJson(readFileSync(path, "utf8")), () => undefined);
  graph.groups = frames.map((keys, index): Group => {
    const box = frameBoxAround(
      keys.flatMap((key) => {
        const node = graph.nodes[key];
        return node === undefined ? [] : [{ ...node.position, ...node.size }];
      }),
    );
    const { x, y, width, height } = box ?? { x: 0, y: 0, width: 0, height: 0 };
    const saved = { title: `frame ${index}` };
    return {
      key: String(index),
      title: saved.title,
      position: { x, y },
      size: { width, height },
      color: null,
      saved,
    };
  });
  return graph;
}

/**
 * The prompts of the first workflow: both have the checkpoint as a source, and feed the sampler.
 */
const PROMPTS = ["2", "3"];

test("nothing is folded where no frame is", () => {
  const graph = graphWith(PROMPTS);
  expect(foldingOf(graph).folds).toEqual([]);
  expect(Object.values(graph.links).map((link) => foldedEnds(graph, link))).toEqual(
    Object.values(graph.links).map(() => ({ within: false })),
  );
});

test("a folded frame has a row for each socket that wires cross to, and hides its nodes", () => {
  const graph = graphWith(PROMPTS);
  setFrameCollapsed(graph, "0", true);
  const { folds, hidden } = foldingOf(graph);
  expect([...hidden.keys()].sort()).toEqual(PROMPTS);
  const [fold] = folds;
  expect(fold?.inputs.map((each) => each.id)).toEqual(["2/clip", "3/clip"]);
  expect(fold?.outputs.map((each) => each.id)).toEqual(["2:0", "3:0"]);
  expect(fold?.count).toBe(2);
});

test("its wires end at its rows; the document keeps them as they are", () => {
  const graph = graphWith(PROMPTS);
  const { links, nodes } = structuredClone(graph);
  setFrameCollapsed(graph, "0", true);
  expect(graph.links).toEqual(links);
  expect(graph.nodes).toEqual(nodes);
  const { x, y } = frameOf(graph, "0")?.position ?? { x: 0, y: 0 };
  for (const link of Object.values(graph.links)) {
    const { source, target, within } = foldedEnds(graph, link);
    expect(within).toBe(false);
    expect(source !== undefined).toBe(PROMPTS.includes(link.from));
    expect(target !== undefined).toBe(PROMPTS.includes(link.to));
    if (target !== undefined) {
      expect(target.at.x).toBe(x);
      expect(target.at.y).toBeGreaterThan(y);
    }
  }
});

test("wires within a folded frame, and frames within it, are not drawn", () => {
  const graph = graphWith(["1", "2", "3", "4", "5"], PROMPTS);
  setFrameCollapsed(graph, "0", true);
  const { hidden, hiddenFrames, folds } = foldingOf(graph);
  expect(hidden.size).toBe(5);
  expect([...hiddenFrames]).toEqual(["1"]);
  expect(folds).toHaveLength(1);
  const inner = Object.values(graph.links).filter((link) => foldedEnds(graph, link).within);
  expect(inner.map((link) => [link.from, link.to].every((key) => hidden.has(key)))).not.toContain(
    false,
  );
  expect(inner.length).toBeGreaterThan(0);
});
