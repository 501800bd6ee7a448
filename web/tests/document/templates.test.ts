/** Every public template is read, and written back without loss. */
import { describe, expect, test } from "vitest";
import { type Graph, isBoundary, type Workflow } from "../../src/document/graph";
import {
  isObject,
  type Json,
  type JsonObject,
  parseJson,
  writeJson,
} from "../../src/document/json";
import { graphsOf } from "../../src/document/levels";
import { readGraph } from "../../src/document/read";
import { listOf } from "../../src/document/values";
import { writeGraph } from "../../src/document/write";
import { areHere, blueprintNames, openTemplates, readBlueprint, readTemplate } from "../templates";

const layout = () => undefined;

/** The graphs of a file, the root first, in the order of `graphsOf`. */
function levelsOf(file: Json): JsonObject[] {
  if (!isObject(file)) return [];
  const inner = isObject(file.definitions) ? listOf(file.definitions.subgraphs) : [];
  return [file, ...inner.filter(isObject)];
}

function nodesIn(graph: Graph): string[] {
  return graph.order.filter((key) => !isBoundary(key));
}

function opensWhole(file: Json): Workflow {
  const workflow = readGraph(file, layout);
  const graphs = graphsOf(workflow);
  const levels = levelsOf(file);
  expect(graphs).toHaveLength(levels.length);
  graphs.forEach((graph, index) => {
    const ids = listOf(levels[index]?.nodes).map((each) => String(isObject(each) && each.id));
    expect(nodesIn(graph)).toEqual(ids);
    expect(graph.linkOrder).toHaveLength(listOf(levels[index]?.links).length);
  });
  return workflow;
}

function savesWithoutLoss(file: Json): void {
  const workflow = opensWhole(file);
  const written = writeJson(writeGraph(workflow));
  expect(written).toBe(writeJson(file));
  expect(readGraph(parseJson(written), layout)).toEqual(workflow);
}

describe.skipIf(!areHere)("templates that need open models alone", () => {
  test("are as many as the list says", () => {
    expect(openTemplates).toHaveLength(115);
  });
  test.each(openTemplates)(
    "%s opens with all nodes and wires and is saved without loss",
    (name) => {
      savesWithoutLoss(readTemplate(name));
    },
  );
});

describe.skipIf(!areHere)("blueprints", () => {
  test.each(blueprintNames)(
    "%s opens with all nodes and wires and is saved without loss",
    (name) => {
      savesWithoutLoss(readBlueprint(name));
    },
  );
});
