/**
 * What the editor writes has the shapes that ComfyUI's own files have: every field of a document
 * made here, and of the bundled workflows, has a type that the same field has somewhere in the open
 * templates. What is below `calotype` in `extra` and `properties` is ours.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { create } from "mutative";
import { describe, expect, test } from "vitest";
import type { InputSchema, NodeSchema } from "../../src/api/types";
import {
  addGroup,
  addNode,
  connect,
  setCollapsed,
  setMode,
  setTitle,
  setValue,
} from "../../src/document/edit";
import { setPaint, setPinned } from "../../src/document/flags";
import { emptyGraph, type Workflow } from "../../src/document/graph";
import { isObject, type Json, parseJson } from "../../src/document/json";
import { addReroute } from "../../src/document/reroute";
import { makeSubgraph } from "../../src/document/subgraph";
import { writeGraph } from "../../src/document/write";
import { newNode } from "../../src/state/nodes/widgets";
import { areHere, openTemplates, readTemplate } from "../templates";

const root = resolve(import.meta.dirname, "../../..");
const WORKFLOWS = join(root, "web/workflows");

type Shapes = Map<string, Set<string>>;

function typeOf(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** The level of a document or of a subgraph in it: both have the same fields. */
const LEVEL = /^\/definitions\/subgraphs\/\*(?=\/(nodes|groups)\/)/;
/** Values, and what others keep in files: any shape is right. */
const FREE =
  /\/(widgets_values|widgets_values_named|proxyWidgets|models)$|\/(extra|properties)\/calotype$/;
/** Fields of the format's published schema that no open template happens to have. */
const PUBLISHED: readonly (readonly [RegExp, string])[] = [
  [/^\/extra\/(reroutes|linkExtensions)$/, "array"],
  [/^\/extra\/(reroutes|linkExtensions)\/\*$/, "object"],
  [/^\/extra\/(reroutes|linkExtensions)\/\*\/(id|parentId)$/, "number"],
  [/^\/extra\/reroutes\/\*\/(linkIds|pos)$/, "array"],
  [/^\/extra\/reroutes\/\*\/(linkIds\/\*|pos\/[01])$/, "number"],
  [/^\/nodes\/\*\/flags\/pinned$/, "boolean"],
  [/^(\/nodes\/\*\/properties|\/extra)\/calotype$/, "object"],
];

function collect(value: Json, path: string, shapes: Shapes): Shapes {
  const at = path.replace(LEVEL, "");
  const found = shapes.get(at) ?? new Set();
  shapes.set(at, found.add(typeOf(value)));
  if (FREE.test(at)) return shapes;
  if (Array.isArray(value)) {
    const isLink = /\/links$/.test(at) && at !== "/nodes/*/outputs/*/links";
    for (const [index, each] of value.entries()) {
      // A link of a document is a list whose places have types of their own.
      if (isLink && Array.isArray(each)) {
        for (const [place, part] of each.entries()) collect(part, `${at}/*/${place}`, shapes);
        collect(each.length, `${at}/*/length ${each.length}`, shapes);
      } else collect(each, /\/(pos|size)$/.test(at) ? `${at}/${index}` : `${at}/*`, shapes);
    }
  } else if (isObject(value)) {
    for (const [key, each] of Object.entries(value)) collect(each, `${at}/${key}`, shapes);
  }
  return shapes;
}

/** The fields whose type no file of the incumbent has, as `path: type`. */
function strange(shapes: Shapes, known: Shapes): string[] {
  return [...shapes].flatMap(([path, types]) =>
    [...types]
      .filter((type) => !known.get(path)?.has(type))
      .filter((type) => !PUBLISHED.some(([field, its]) => its === type && field.test(path)))
      .map((type) => `${path}: ${type}`),
  );
}

const catalog = new Map(
  (
    JSON.parse(
      readFileSync(join(root, "engine/server/builtin_catalog.json"), "utf8"),
    ) as Partial<NodeSchema>[]
  ).map((each) => {
    const inputs = (each.inputs ?? []).map(
      (input: Partial<InputSchema>) =>
        ({ section: "required", options: {}, ...input }) as InputSchema,
    );
    return [each.class_type ?? "", { outputs: [], ...each, inputs } as unknown as NodeSchema];
  }),
);

/** A document with all that the editor makes: nodes, wires, points, frames, marks, a subgraph. */
function made(): Json {
  const workflow = create(emptyGraph() as object, (draft) => {
    const graph = draft as Workflow;
    const add = (id: number, type: string) => {
      const schema = catalog.get(type);
      if (schema === undefined) throw new Error(`There is no ${type}.`);
      addNode(graph, newNode(schema, id, { x: id * 300, y: 0 }, 240));
    };
    const types = [
      "CheckpointLoaderSimple",
      "CLIPTextEncode",
      "KSampler",
      "VAEDecode",
      "SaveImage",
    ];
    for (const [index, type] of types.entries()) add(index + 1, type);
    add(6, "PrimitiveInt");
    const wire = (from: string, slot: number, node: string, name: string, type: string) =>
      connect(graph, { node: from, slot }, { node, name, type, isWidget: type === "INT" }, type);
    wire("1", 0, "3", "model", "MODEL");
    wire("1", 1, "2", "clip", "CLIP");
    wire("2", 0, "3", "positive", "CONDITIONING");
    wire("3", 0, "4", "samples", "LATENT");
    wire("1", 2, "4", "vae", "VAE");
    wire("6", 0, "3", "seed", "INT");
    const last = wire("4", 0, "5", "images", "IMAGE");
    addReroute(graph, last, { x: 40, y: 50 }, 0);
    setValue(graph, "2", "text", "a house");
    setTitle(graph, "2", "Words");
    setMode(graph, ["6"], 4);
    setCollapsed(graph, ["1"], true);
    setPinned(graph, ["5"], true);
    setPaint(graph, ["5"], { color: "#232", bgcolor: "#353" });
    const box = { position: { x: 0, y: -60 }, size: { width: 500, height: 300 } };
    addGroup(graph, { key: "1", title: "First", color: "#3f789e", saved: {}, ...box });
    makeSubgraph(graph, graph, ["3", "4"], {
      id: "5c1f6b0e-7a44-4a0e-9a55-1f1c5b1c0d0e",
      name: "Sample",
    });
  }) as Workflow;
  return writeGraph(workflow);
}

describe.skipIf(!areHere)("what is written has the shapes of ComfyUI's files", () => {
  const known: Shapes = new Map();
  for (const name of openTemplates) collect(readTemplate(name), "", known);
  const bundled = readdirSync(WORKFLOWS).filter((name) => name.endsWith(".json"));

  test("a document made here", () => {
    expect(strange(collect(made(), "", new Map()), known)).toEqual([]);
  });

  test.each(bundled)("bundled %s", (name) => {
    const file = parseJson(readFileSync(join(WORKFLOWS, name), "utf8"));
    expect(strange(collect(file, "", new Map()), known)).toEqual([]);
  });

  test("another type is found", () => {
    const shapes = collect({ nodes: [{ id: "1", pos: { x: 1 } }], version: "1" }, "", new Map());
    expect(strange(shapes, known)).toEqual([
      "/nodes/*/id: string",
      "/nodes/*/pos: object",
      "/nodes/*/pos/x: number",
      "/version: string",
    ]);
  });
});
