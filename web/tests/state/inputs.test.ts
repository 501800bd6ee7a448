/** Inputs that multiply, and choices that bring inputs of their own. */
import { describe, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { connect, removeInputs, setValue } from "../../src/document/edit";
import type { GraphNode } from "../../src/document/graph";
import { EMPTY_LOG, record, undo } from "../../src/document/log";
import { readGraph } from "../../src/document/read";
import { writeGraph } from "../../src/document/write";
import { inputsOf } from "../../src/state/nodes/inputs";
import { shapeOf } from "../../src/state/nodes/shape";
import { layoutOf, newNode } from "../../src/state/nodes/widgets";

const catalog = readCatalog({
  Batch: {
    input: {
      required: {
        images: [
          "COMFY_AUTOGROW_V3",
          {
            template: {
              input: { required: { image: ["IMAGE", {}] } },
              prefix: "image",
              min: 2,
              max: 4,
            },
          },
        ],
      },
    },
    output: ["IMAGE"],
  },
  Resize: {
    input: {
      required: {
        input: ["IMAGE,MASK"],
        resize_type: [
          "COMFY_DYNAMICCOMBO_V3",
          {
            options: [
              { key: "by factor", inputs: { required: { factor: ["FLOAT", { default: 1.5 }] } } },
              {
                key: "to size",
                inputs: {
                  required: { width: ["INT", { default: 512 }], height: ["INT", { default: 384 }] },
                },
              },
            ],
          },
        ],
        method: [["area", "nearest"]],
      },
    },
    output: ["IMAGE"],
  },
  Slot: {
    input: {
      optional: {
        picture: [
          "COMFY_DYNAMICSLOT_V3",
          {
            slotType: "IMAGE",
            inputs: { required: { strength: ["FLOAT", { default: 1 }], mask: ["MASK", {}] } },
          },
        ],
      },
    },
    output: ["IMAGE"],
  },
  Make: { input: { required: {} }, output: ["IMAGE"] },
  Custom: {
    input: {
      required: { choice: [[], {}] },
      optional: { index: ["INT", { default: 0, place_of: "choice" }] },
    },
    output: ["STRING", "INT"],
  },
});
const schema = (name: string) => {
  const found = catalog[name];
  if (found === undefined) throw new Error(name);
  return found;
};
const layout = (type: string) => {
  const found = catalog[type];
  return found === undefined ? undefined : layoutOf(found);
};
const names = (type: string, node?: GraphNode) =>
  inputsOf(schema(type), node).map((each) => each.name);
const nodeOf = (graph: { nodes: Record<string, GraphNode> }, key: string) => {
  const node = graph.nodes[key];
  if (node === undefined) throw new Error(key);
  return node;
};

describe("inputs that multiply", () => {
  test("a new node has those it must have, and one more once they are linked", () => {
    expect(names("Batch")).toEqual(["images.image0", "images.image1"]);
    let graph = readGraph(
      {
        nodes: [
          { id: 1, type: "Make", outputs: [{ name: "IMAGE", type: "IMAGE", links: [] }] },
          { id: 2, type: "Batch", inputs: [] },
        ],
        links: [],
      },
      layout,
    );
    for (const index of [0, 1, 2, 3]) {
      const name = `images.image${index}`;
      expect(names("Batch", graph.nodes["2"])).toContain(name);
      graph = record({ graph, log: EMPTY_LOG }, "Connect", (draft) => {
        connect(
          draft,
          { node: "1", slot: 0 },
          { node: "2", name, type: "IMAGE", isWidget: false },
          "IMAGE",
        );
      }).graph;
    }
    // At most as many as the template allows.
    expect(names("Batch", graph.nodes["2"])).toHaveLength(4);
    const written = writeGraph(graph).nodes as { inputs?: { name: string }[] }[];
    expect(written[1]?.inputs?.map((each) => each.name)).toEqual([
      "images.image0",
      "images.image1",
      "images.image2",
      "images.image3",
    ]);
  });

  test("an empty one that a file kept is not shown twice", () => {
    const inputs = [0, 1, 2, 3].map((index) => ({
      name: `images.image${index}`,
      type: "IMAGE",
      link: index === 0 ? 7 : null,
    }));
    const graph = readGraph({ nodes: [{ id: 2, type: "Batch", inputs }], links: [] }, layout);
    const shape = shapeOf(nodeOf(graph, "2"), schema("Batch"), false);
    expect(shape.inputs.map((each) => each.label)).toEqual(["image0", "image1"]);
  });
});

test("a slot that brings inputs has them once it is connected", () => {
  const graph = readGraph(
    {
      nodes: [
        { id: 1, type: "Make", outputs: [{ name: "IMAGE", type: "IMAGE", links: [] }] },
        { id: 2, type: "Slot", inputs: [] },
      ],
      links: [],
    },
    layout,
  );
  expect(inputsOf(schema("Slot")).map(({ name, type }) => [name, type])).toEqual([
    ["picture", "IMAGE"],
  ]);
  const { graph: joined } = record({ graph, log: EMPTY_LOG }, "Connect", (draft) => {
    connect(
      draft,
      { node: "1", slot: 0 },
      { node: "2", name: "picture", type: "IMAGE", isWidget: false },
      "IMAGE",
    );
  });
  expect(names("Slot", joined.nodes["2"])).toEqual(["picture", "picture.strength", "picture.mask"]);
});

describe("a choice that brings fields", () => {
  const saved = (values: (string | number)[]) => ({
    nodes: [{ id: 1, type: "Resize", inputs: [], widgets_values: values }],
    links: [],
  });

  test.each([
    [["by factor", 2, "nearest"], { "resize_type.factor": 2, method: "nearest" }],
    [
      ["to size", 640, 360, "nearest"],
      { "resize_type.width": 640, "resize_type.height": 360, method: "nearest" },
    ],
  ])("a saved list of %j is read by its choice, and comes back", (values, expected) => {
    const workflow = saved(values);
    const graph = readGraph(workflow, layout);
    expect(graph.nodes["1"]?.values).toMatchObject(expected);
    expect(writeGraph(graph)).toEqual(workflow);
  });

  test("another choice has its own fields, in its place in the list; undo brings the first back", () => {
    const graph = readGraph(saved(["by factor", 2, "nearest"]), layout);
    const changed = record({ graph, log: EMPTY_LOG }, "Change", (draft) =>
      setValue(draft, "1", "resize_type", "to size", layout("Resize")),
    );
    expect(names("Resize", changed.graph.nodes["1"])).toEqual([
      "input",
      "resize_type",
      "resize_type.width",
      "resize_type.height",
      "method",
    ]);
    expect(writeGraph(changed.graph)).toEqual(saved(["to size", 512, 384, "nearest"]));
    expect(writeGraph(undo(changed).graph)).toEqual(saved(["by factor", 2, "nearest"]));
  });

  test("names saved beside the list follow the choice", () => {
    const workflow = saved(["by factor", 2, "area"]);
    const [node] = workflow.nodes;
    Object.assign(node ?? {}, {
      widgets_values_named: { resize_type: "by factor", "resize_type.factor": 2, method: "area" },
    });
    const graph = readGraph(workflow, layout);
    const { graph: changed } = record({ graph, log: EMPTY_LOG }, "Change", (draft) =>
      setValue(draft, "1", "resize_type", "to size", layout("Resize")),
    );
    const [written] = writeGraph(changed).nodes as { widgets_values_named: object }[];
    expect(written?.widgets_values_named).toEqual({
      resize_type: "to size",
      method: "area",
      "resize_type.width": 512,
      "resize_type.height": 384,
    });
  });

  test("a new node starts with the first choice", () => {
    const node = newNode(schema("Resize"), 1, { x: 0, y: 0 }, 240);
    expect(node.slots).toEqual(["resize_type", "resize_type.factor", "method"]);
    expect(node.values).toMatchObject({ resize_type: "by factor", "resize_type.factor": 1.5 });
  });

  test("inputs that vanish take their wires along, and links behind them keep their place", () => {
    const graph = readGraph(
      {
        nodes: [
          { id: 1, type: "Make", outputs: [{ name: "IMAGE", type: "IMAGE", links: [5, 6] }] },
          {
            id: 2,
            type: "Resize",
            inputs: [
              {
                name: "resize_type.width",
                type: "INT",
                link: 5,
                widget: { name: "resize_type.width" },
              },
              { name: "input", type: "IMAGE,MASK", link: 6 },
            ],
          },
        ],
        links: [
          [5, 1, 0, 2, 0, "INT"],
          [6, 1, 0, 2, 1, "IMAGE"],
        ],
      },
      layout,
    );
    const { graph: changed } = record({ graph, log: EMPTY_LOG }, "Change", (draft) =>
      removeInputs(draft, "2", ["resize_type.width"]),
    );
    const written = writeGraph(changed);
    expect(written.links).toEqual([[6, 1, 0, 2, 0, "IMAGE"]]);
    expect(
      (written.nodes as { outputs?: { links: number[] }[] }[])[0]?.outputs?.[0]?.links,
    ).toEqual([6]);
  });
});

describe("choices that were typed into a node", () => {
  const read = (values: (string | number)[]) =>
    readGraph(
      { nodes: [{ id: 1, type: "Custom", inputs: [], widgets_values: values }], links: [] },
      layout,
    );

  test.each([
    [["b", 1, "a", "b", "c", ""]],
    [["b", "a", "b", "c", ""]], // from before the index was among them
  ])("are those of its combo, and the place is no field: %j", (values) => {
    const graph = read(values);
    const shape = shapeOf(nodeOf(graph, "1"), schema("Custom"), false);
    const [combo, ...fields] = shape.widgets.map(({ input }) => input);
    expect([combo?.name, combo?.choices]).toEqual(["choice", ["a", "b", "c"]]);
    expect(fields.map(({ type, options }) => [type, options.display_name])).toEqual(
      [1, 2, 3, 4].map((place) => ["STRING", `option${place}`]),
    );
    expect(shape.inputs).toEqual([]);
    const chosen = record({ graph, log: EMPTY_LOG }, "Choose", (draft) => {
      setValue(draft, "1", "choice", "c");
    }).graph;
    const [written] = writeGraph(chosen).nodes as { widgets_values: unknown }[];
    expect(written?.widgets_values).toEqual(["c", ...values.slice(1)]);
  });
});
