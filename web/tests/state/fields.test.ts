/** Inputs that take the type of what is connected, and fields of primitive nodes. */
import { beforeEach, describe, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { connect } from "../../src/document/edit";
import { EMPTY_LOG, record } from "../../src/document/log";
import { readGraph } from "../../src/document/read";
import { writeGraph } from "../../src/document/write";
import { resolveTypes } from "../../src/state/editing/match";
import { tagsFor, tagsOf } from "../../src/state/fields/completions";
import { pasted } from "../../src/state/fields/fieldActions";
import { fileOf, namedValue } from "../../src/state/nodes/fileValue";
import { inputsOf } from "../../src/state/nodes/inputs";
import { isOfKind } from "../../src/state/nodes/mediaTypes";
import { withPrimitive, withTargetOptions } from "../../src/state/nodes/primitive";
import { layout, schemaOf, useStudio } from "../../src/state/session/studio";

const choice = (name: string) => ({ template: { template_id: "T", allowed_types: name } });
const catalog = withPrimitive(
  readCatalog({
    Switch: {
      input: {
        required: {
          on: ["COMFY_MATCHTYPE_V3", choice("IMAGE,MASK,LATENT")],
          off: ["COMFY_MATCHTYPE_V3", choice("IMAGE,MASK,LATENT")],
          switch: ["BOOLEAN", {}],
        },
      },
      output: ["COMFY_MATCHTYPE_V3"],
    },
    Pair: {
      input: {
        required: {
          item: ["COMFY_MATCHTYPE_V3", { template: { template_id: "A", allowed_types: "*" } }],
          other: ["COMFY_MATCHTYPE_V3", { template: { template_id: "B", allowed_types: "*" } }],
        },
      },
      output: ["COMFY_MATCHTYPE_V3", "COMFY_MATCHTYPE_V3"],
      output_matchtypes: ["B", "A"],
    },
    Make: { input: { required: {} }, output: ["IMAGE"] },
    Steps: { input: { required: { steps: ["INT", { min: 1, max: 50 }] } }, output: [] },
  }),
);

beforeEach(() => {
  useStudio.setState({ catalog });
});

const input = (type: string, choices: unknown[] | null = null) => ({
  name: "x",
  type,
  section: "required" as const,
  options: {},
  choices,
  folder: null,
});

describe("inputs that take the type of what is joined", () => {
  test("pass it on to their output and to the next one, and the file says it", () => {
    const matched = (id: number, link: number | null, links: number[]) => ({
      id,
      type: "Switch",
      inputs: [{ name: "on", type: "COMFY_MATCHTYPE_V3", link }],
      outputs: [{ name: "out", type: "COMFY_MATCHTYPE_V3", links }],
    });
    const graph = readGraph(
      {
        nodes: [
          { id: 1, type: "Make", outputs: [{ name: "IMAGE", type: "IMAGE", links: [] }] },
          matched(2, null, [9]),
          matched(3, 9, []),
        ],
        links: [[9, 2, 0, 3, 0, "COMFY_MATCHTYPE_V3"]],
      },
      layout,
    );
    const { graph: joined } = record({ graph, log: EMPTY_LOG }, "Connect", (draft) => {
      connect(
        draft,
        { node: "1", slot: 0 },
        { node: "2", name: "on", type: "*", isWidget: false },
        "IMAGE",
      );
      resolveTypes(draft, "2");
    });
    const nodes = writeGraph(joined).nodes as { outputs: { type: string }[] }[];
    expect(nodes.map((each) => each.outputs[0]?.type)).toEqual(["IMAGE", "IMAGE", "IMAGE"]);
  });
});

describe("two templates of a node", () => {
  test("have types of their own", () => {
    const graph = readGraph(
      {
        nodes: [
          { id: 1, type: "Make", outputs: [{ name: "IMAGE", type: "IMAGE", links: [] }] },
          {
            id: 2,
            type: "Pair",
            inputs: ["item", "other"].map((name) => ({
              name,
              type: "COMFY_MATCHTYPE_V3",
              link: null,
            })),
            outputs: ["b", "a"].map((name) => ({ name, type: "COMFY_MATCHTYPE_V3", links: [] })),
          },
        ],
        links: [],
      },
      layout,
    );
    const { graph: joined } = record({ graph, log: EMPTY_LOG }, "Connect", (draft) => {
      connect(
        draft,
        { node: "1", slot: 0 },
        { node: "2", name: "item", type: "*", isWidget: false },
        "IMAGE",
      );
      resolveTypes(draft, "2");
    });
    const node = joined.nodes["2"];
    expect(node?.inputs.map((each) => each.type)).toEqual(["IMAGE", "*"]);
    expect(node?.outputs.map((each) => each.type)).toEqual(["*", "IMAGE"]);
  });
});

describe("the incumbent's primitive", () => {
  const workflow = {
    nodes: [
      {
        id: 1,
        type: "PrimitiveNode",
        outputs: [{ name: "INT", type: "INT", links: [4], widget: { name: "steps" } }],
        widgets_values: [12, "randomize"],
      },
      {
        id: 2,
        type: "Steps",
        inputs: [{ name: "steps", type: "INT", link: 4, widget: { name: "steps" } }],
        widgets_values: [20],
      },
    ],
    links: [[4, 1, 0, 2, 0, "INT"]],
  };

  test("has the field of what it feeds, with its limits and what happens before a run", () => {
    const graph = readGraph(workflow, layout);
    const [node, schema] = [graph.nodes["1"], schemaOf("PrimitiveNode")];
    if (node === undefined || schema === undefined) throw new Error("it is not there");
    expect(node.values).toEqual({ value: 12, control_after_generate: "randomize" });
    const [field] = inputsOf(schema, node);
    if (field === undefined) throw new Error("it has no field");
    const like = withTargetOptions(graph, node, field, (target, name) =>
      schemaOf(target.type)?.inputs.find((each) => each.name === name),
    );
    expect(like).toMatchObject({
      name: "value",
      type: "INT",
      options: { min: 1, max: 50, control_after_generate: true },
    });
    expect(writeGraph(graph)).toEqual(workflow);
  });

  test("whose list holds other things comes back as it was", () => {
    const odd = {
      nodes: [
        { id: 1, type: "PrimitiveNode", outputs: [], widgets_values: ["euler", "fixed", "eu"] },
        { id: 2, type: "PrimitiveNode", outputs: [], widgets_values: ["a long text"] },
      ],
      links: [],
    };
    const graph = readGraph(odd, layout);
    expect(writeGraph(graph)).toEqual(odd);
    expect(inputsOf(catalog.PrimitiveNode as never, graph.nodes["2"])[0]?.type).toBe("STRING");
  });
});

describe("values of files", () => {
  test("name a place other than their own, and folders", () => {
    expect(fileOf("a/b.png [output]")).toEqual({
      filename: "b.png",
      subfolder: "a",
      type: "output",
    });
    expect(fileOf("b.png")).toEqual({ filename: "b.png", subfolder: "", type: "input" });
    expect(fileOf("")).toBeNull();
    expect(namedValue({ filename: "b.png", subfolder: "a", type: "temp" })).toBe("a/b.png [temp]");
    expect(isOfKind("x.webm", "video")).toBe(true);
    expect(isOfKind("x.webm", "image")).toBe(false);
  });
});

describe("pasted values", () => {
  test("are of the field's type, or none", () => {
    expect(pasted("18446744073709551615", input("INT"))).toBe(18446744073709551615n);
    expect(pasted("1.5", input("INT"))).toBeUndefined();
    expect(pasted("1.5", input("FLOAT"))).toBe(1.5);
    expect(pasted("true", input("BOOLEAN"))).toBe(true);
    expect(pasted("yes", input("BOOLEAN"))).toBeUndefined();
    expect(pasted("heun", input("COMBO", ["euler", "heun"]))).toBe("heun");
    expect(pasted("other", input("COMBO", ["euler", "heun"]))).toBeUndefined();
    expect(pasted("a {text}", input("STRING"))).toBe("a {text}");
    expect(pasted('{"points":[]}', input("CURVE"))).toEqual({ points: [] });
  });
});

describe("lists of tags", () => {
  const tags = tagsOf(
    'name,kind,count\nlong_hair,0,4000,"hair_long,""lh"""\ncat_(animal),0,20\n\nplain',
  );
  test("are read with what may be left out", () => {
    expect(tags.map((each) => each.name)).toEqual(["long_hair", "cat_(animal)", "plain"]);
    expect(tags[0]?.detail).toBe("4K");
  });
  test("are found by any of their names, the most used first", () => {
    expect(tagsFor("hair l", tags)[0]?.text).toBe("long hair");
    expect(tagsFor("cat", tags)[0]).toMatchObject({
      text: "cat (animal)",
      insert: "cat \\(animal\\)",
    });
    expect(tagsFor("zzz", tags)).toEqual([]);
  });
});
