/** The bundled workflows as they are drawn: every wire and every node can be seen. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { readApp } from "../../src/document/app";
import { overlaps } from "../../src/document/arrange";
import type { Graph } from "../../src/document/graph";
import { parseJson } from "../../src/document/json";
import { readGraph } from "../../src/document/read";
import { layoutOf } from "../../src/state/nodes/widgets";
import { builtinCatalog } from "../builtinCatalog";
import { drawnBoxes, wireHits } from "../wireHits";

const FOLDER = resolve(import.meta.dirname, "../../workflows");
const FILES = readdirSync(FOLDER).filter((each) => each.endsWith(".json"));
const catalog = builtinCatalog();

function read(file: string): Graph {
  return readGraph(parseJson(readFileSync(join(FOLDER, file), "utf8")), (type, drawn) => {
    const schema = catalog[type];
    return schema === undefined ? undefined : layoutOf(schema, drawn);
  });
}

test.each(FILES)("in %s no wire runs behind a node, and no node lies under another", (file) => {
  const graph = read(file);
  expect(wireHits(graph, catalog)).toEqual([]);
  const boxes = [...drawnBoxes(graph, catalog)];
  const covered = boxes.flatMap(([key, one], index) =>
    boxes
      .slice(index + 1)
      .flatMap(([other, box]) => (overlaps(one, box) ? [`${key} ${other}`] : [])),
  );
  expect(covered).toEqual([]);
});

test("a wire behind a node, and a node under another, are seen by this test", () => {
  const graph = read("text_to_image.json");
  const node = graph.nodes["2"];
  const sampler = graph.nodes["5"];
  if (node === undefined || sampler === undefined) throw new Error("the workflow has changed");
  const moved = {
    ...graph,
    nodes: { ...graph.nodes, "5": { ...sampler, position: node.position } },
  };
  expect(wireHits(moved, catalog)).not.toEqual([]);
});

test.each(FILES)("%s rolls a seed before each run, and has a form", (file) => {
  const graph = read(file);
  const controls = Object.values(graph.nodes).map((each) => each.values.control_after_generate);
  expect(controls).toContain("randomize");
  const { fields, outputs } = readApp(graph);
  expect(fields.some(({ widget }) => widget === "text")).toBe(true);
  expect(fields.some(({ widget }) => widget === "seed")).toBe(true);
  expect(outputs).not.toEqual([]);
});
