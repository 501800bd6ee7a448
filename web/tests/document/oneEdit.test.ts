/**
 * The promise of saving: open, change one value, save, and all but that value is as it was. For the
 * bundled workflows, odd ones, the open templates of the test extra, and the folder of CALOTYPE_PAIRS.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { create } from "mutative";
import { describe, expect, test } from "vitest";
import type { InputSchema, NodeSchema } from "../../src/api/types";
import { setValue } from "../../src/document/edit";
import type { Workflow } from "../../src/document/graph";
import { equalJson, isObject, type Json, parseJson, writeJson } from "../../src/document/json";
import { graphsOf } from "../../src/document/levels";
import { kindOf, readGraph } from "../../src/document/read";
import { writeGraph } from "../../src/document/write";
import { layoutOf } from "../../src/state/nodes/widgets";
import { areHere, openTemplates, readTemplate } from "../templates";

const root = resolve(import.meta.dirname, "../../..");
const CATALOG = join(root, "engine/server/builtin_catalog.json");
const pairs = process.env.CALOTYPE_PAIRS;
const EDITS = pairs === undefined ? 2 : 6;
/** All templates take a minute; a fifth of them is tested everywhere. */
const templates = openTemplates.filter((_, index) => pairs !== undefined || index % 5 === 0);

function catalogOf(): Map<string, NodeSchema> {
  const listed = JSON.parse(readFileSync(CATALOG, "utf8")) as Partial<NodeSchema>[];
  return new Map(
    listed.map((each) => {
      const inputs = (each.inputs ?? []).map(
        (input: Partial<InputSchema>) =>
          ({ section: "required", options: {}, ...input }) as InputSchema,
      );
      return [each.class_type ?? "", { outputs: [], ...each, inputs } as unknown as NodeSchema];
    }),
  );
}

const catalog = catalogOf();
const layout = (type: string) => {
  const schema = catalog.get(type);
  return schema === undefined ? undefined : layoutOf(schema);
};

/** The places in which two values differ, as paths with `/`. */
function differing(one: Json | undefined, other: Json | undefined, path = ""): string[] {
  if (Array.isArray(one) && Array.isArray(other)) {
    const length = Math.max(one.length, other.length);
    return Array.from({ length }, (_, at) => differing(one[at], other[at], `${path}/${at}`)).flat();
  }
  if (isObject(one) && isObject(other)) {
    const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
    return [...keys].flatMap((key) => differing(one[key], other[key], `${path}/${key}`));
  }
  return one !== undefined && other !== undefined && equalJson(one, other) ? [] : [path];
}

interface Place {
  graph: number;
  key: string;
  name: string;
}

/** Some values of a document, spread over all of its nodes. */
function placesIn(workflow: Workflow): Place[] {
  const all = graphsOf(workflow).flatMap((graph, index) =>
    Object.entries(graph.nodes).flatMap(([key, { values }]) =>
      Object.keys(values).map((name) => ({ graph: index, key, name })),
    ),
  );
  const step = Math.max(1, Math.floor(all.length / EDITS));
  return all.filter((_, index) => index % step === 0);
}

const NEW = "changed by a test";
const CONTROL = "control_after_generate";

/** A value that the place does not have yet; of the control of a seed, one of its choices. */
function newValue(name: string, before: Json | undefined): Json {
  if (!name.endsWith(CONTROL)) return NEW;
  return before === "increment" ? "decrement" : "increment";
}

/** Without the values that the incumbent has set aside for an input, which a set value replaces. */
function withoutQuarantined(value: Json, name: string): Json {
  if (Array.isArray(value)) {
    const isOf = (each: Json) =>
      isObject(each) && Array.isArray(each.originalEntry) && each.originalEntry[1] === name;
    return value.filter((each) => !isOf(each)).map((each) => withoutQuarantined(each, name));
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, each]) => [key, withoutQuarantined(each, name)]);
  return Object.fromEntries(entries) as Json;
}
const VALUE = /\/nodes\/\d+\/(widgets_values|widgets_values_named)(\/|$)/;

function keepsAllButOneValue(file: Json): void {
  const workflow = readGraph(file, layout);
  const before = writeGraph(workflow);
  expect(differing(file, before)).toEqual([]);
  for (const { graph, key, name } of placesIn(workflow)) {
    const node = graphsOf(workflow)[graph]?.nodes[key];
    const type = node?.type ?? "";
    const place = `${type}.${name}`;
    const slots = layout(type) ?? [];
    // A choice that brings fields of its own changes those, too.
    if (slots.some((each) => each.name === name && each.nested !== undefined)) continue;
    const value = newValue(name, node?.values[name]);
    const edited = create(workflow as object, (draft) => {
      const found = graphsOf(draft as Workflow)[graph];
      if (found !== undefined) setValue(found, key, name, value, slots);
    }) as Workflow;
    const saved = parseJson(writeJson(writeGraph(edited)));
    const paths = differing(withoutQuarantined(before, name), withoutQuarantined(saved, name));
    expect(paths.length, place).toBeGreaterThan(0);
    expect(paths.length, `${place}: ${paths.join(", ")}`).toBeLessThanOrEqual(2);
    for (const path of paths) expect(path, place).toMatch(VALUE);
    const again = readGraph(saved, layout);
    expect(graphsOf(again)[graph]?.nodes[key]?.values[name], place).toBe(value);
    expect(graphsOf(again)[graph]?.linkOrder).toEqual(graphsOf(workflow)[graph]?.linkOrder);
  }
}

function workflowsIn(folder: string): [string, Json][] {
  if (!existsSync(folder)) throw new Error(`there is no folder ${folder}`);
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return names.flatMap((name): [string, Json][] => {
    const value = parseJson(readFileSync(join(folder, name), "utf8"));
    const inside = isObject(value) ? [value, value.workflow ?? null] : [];
    const found = inside.find((each) => kindOf(each) === "workflow");
    return found === undefined ? [] : [[name, found]];
  });
}

const bundled = workflowsIn(join(root, "web/workflows"));
/** Odd and damaged files that are read without a repair: other forms, modes, values and nestings. */
const odd = workflowsIn(join(import.meta.dirname, "odd"));
test("of an unknown class all values stay, and the named copy has the new one", () => {
  const node = {
    id: 1,
    type: "Unknown",
    widgets_values: ["a", "on", 0.5],
    widgets_values_named: { text: "a", mode: "on", "mode.strength": 0.5 },
  };
  const workflow = readGraph({ nodes: [node], links: [], version: 0.4 }, layout);
  const edited = create(workflow as object, (draft) => {
    setValue(draft as Workflow, "1", "#0", "b");
  }) as Workflow;
  expect(writeGraph(edited).nodes).toEqual([
    {
      ...node,
      widgets_values: ["b", "on", 0.5],
      widgets_values_named: { text: "b", mode: "on", "mode.strength": 0.5 },
    },
  ]);
});

test("of a class with fewer values here the named copy keeps what it has", () => {
  const node = {
    id: 1,
    type: "SaveVideo",
    widgets_values: ["video/a", "auto", "auto", "auto"],
    widgets_values_named: {
      filename_prefix: "video/a",
      format: "auto",
      "format.codec": "auto",
      codec: "auto",
    },
  };
  const workflow = readGraph({ nodes: [node], links: [], version: 0.4 }, layout);
  const edited = create(workflow as object, (draft) => {
    setValue(draft as Workflow, "1", "format", "webm");
  }) as Workflow;
  expect(writeGraph(edited).nodes).toEqual([
    {
      ...node,
      widgets_values: ["video/a", "webm", "auto", "auto"],
      widgets_values_named: { ...node.widgets_values_named, format: "webm" },
    },
  ]);
});

test("an instance keeps the values for which its subgraph has no name", () => {
  const inner = {
    id: "sub",
    nodes: [
      {
        id: 5,
        type: "Inner",
        inputs: [{ name: "x", type: "INT", widget: { name: "x" }, link: 1 }],
      },
    ],
    inputs: [{ id: "i", name: "x", type: "INT", linkIds: [1] }],
    links: [{ id: 1, origin_id: -10, origin_slot: 0, target_id: 5, target_slot: 0, type: "INT" }],
  };
  const node = { id: 1, type: "sub", widgets_values: [3, "kept", 7] };
  const file = { nodes: [node], links: [], definitions: { subgraphs: [inner] }, version: 0.4 };
  const workflow = readGraph(file as Json, layout);
  const edited = create(workflow as object, (draft) => {
    setValue(draft as Workflow, "1", "x", 4);
  }) as Workflow;
  expect(writeGraph(edited).nodes).toEqual([{ ...node, widgets_values: [4, "kept", 7] }]);
});

test("there are bundled workflows and odd ones", () => {
  expect(bundled.length).toBeGreaterThan(3);
  expect(odd.length).toBeGreaterThan(30);
});

describe("one changed value is the only difference of the saved file", () => {
  test.each(bundled)("bundled %s", (_, file) => keepsAllButOneValue(file));
  test.each(odd)("odd %s", (_, file) => keepsAllButOneValue(file));
  test.skipIf(!areHere).each(templates)("template %s", (name) => {
    keepsAllButOneValue(readTemplate(name));
  });
  test.skipIf(pairs === undefined).each(pairs === undefined ? [] : workflowsIn(pairs))(
    "%s of CALOTYPE_PAIRS",
    (_, file) => keepsAllButOneValue(file),
  );
});
