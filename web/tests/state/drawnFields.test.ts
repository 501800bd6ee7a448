/** Fields that scripts of plugins draw for types of their own: their values keep their places. */
import { describe, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { setValue } from "../../src/document/edit";
import type { WidgetLayout } from "../../src/document/graph";
import type { Json } from "../../src/document/json";
import { EMPTY_LOG, record } from "../../src/document/log";
import { readGraph } from "../../src/document/read";
import { writeGraph } from "../../src/document/write";
import { inputsOf } from "../../src/state/nodes/inputs";
import { isWidget, layoutOf } from "../../src/state/nodes/widgets";

const catalog = readCatalog({
  Drawn: {
    input: {
      required: {
        image: ["IMAGE", {}],
        tint: ["TINTCODE", { default: "#222222" }],
        steps: ["INT", { default: 20 }],
        when: ["FLOAT", { widgetType: "TIMESTAMP", default: 1.5 }],
        file: ["COMBO", { options: ["a.pt"], file_upload: true }],
      },
    },
    output: ["IMAGE"],
  },
});
const layout: WidgetLayout = (type, drawn) => {
  const found = catalog[type];
  return found === undefined ? undefined : layoutOf(found, drawn);
};
const saved = (inputs: Json, values: Json) => ({
  nodes: [{ id: 1, type: "Drawn", pos: [0, 0], size: [200, 100], inputs, widgets_values: values }],
  links: [],
  version: 0.4,
});
const DRAWN = [
  { name: "image", type: "IMAGE", link: null },
  { name: "tint", type: "TINTCODE", link: null, widget: { name: "tint" } },
  { name: "steps", type: "INT", link: null, widget: { name: "steps" } },
];
const fields = (graph: ReturnType<typeof readGraph>) => {
  const schema = catalog.Drawn;
  if (schema === undefined) throw new Error("no class");
  return inputsOf(schema, graph.nodes["1"])
    .filter(isWidget)
    .map((each) => each.name);
};

describe("a list of values", () => {
  test("has one of a drawn field, if the file names its widget", () => {
    const graph = readGraph(saved(DRAWN, ["#aabbcc", 7, 2.5, "a.pt", null]), layout);
    expect(graph.nodes["1"]?.values).toEqual({
      tint: "#aabbcc",
      steps: 7,
      when: 2.5,
      file: "a.pt",
      upload: null,
    });
    expect(fields(graph)).toEqual(["tint", "steps", "when", "file"]);
  });

  test("has none where the file names no widget, as in older files", () => {
    const graph = readGraph(saved([DRAWN[0] ?? {}], [7, 2.5, "a.pt", null]), layout);
    expect(graph.nodes["1"]?.values.steps).toBe(7);
    expect(fields(graph)).toEqual(["steps", "when", "file"]);
  });

  test("comes back with one value changed, and the others as they were", () => {
    const file = saved(DRAWN, [{ odd: [1, { deep: true }] }, 7, 2.5, "a.pt", null]);
    const graph = readGraph(file, layout);
    expect(writeGraph(graph)).toEqual(file);
    const { graph: changed } = record({ graph, log: EMPTY_LOG }, "set", (draft) =>
      setValue(draft, "1", "steps", 8, layout("Drawn", new Set(["tint"]))),
    );
    expect(writeGraph(changed).nodes).toMatchObject([
      { widgets_values: [{ odd: [1, { deep: true }] }, 8, 2.5, "a.pt", null] },
    ]);
  });
});

test("values in an object keep their keys, those of scripts too", () => {
  const file = saved(DRAWN, {
    tint: "#aabbcc",
    steps: 7,
    videopreview: { hidden: false, params: { filename: "a.mp4" } },
  });
  const graph = readGraph(file, layout);
  const { graph: changed } = record({ graph, log: EMPTY_LOG }, "set", (draft) =>
    setValue(draft, "1", "steps", 8, layout("Drawn", new Set(["tint"]))),
  );
  expect(writeGraph(changed).nodes).toMatchObject([
    {
      widgets_values: {
        tint: "#aabbcc",
        steps: 8,
        videopreview: { hidden: false, params: { filename: "a.mp4" } },
      },
    },
  ]);
});
