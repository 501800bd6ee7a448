/** Nodes connected to a field to hold its value. */

import { beforeEach, describe, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { writeGraph } from "../../src/document/write";
import { placeNode } from "../../src/state/editing/actions";
import { convertToInput } from "../../src/state/fields/fieldActions";
import { rollSeeds } from "../../src/state/fields/rolling";
import { withPrimitive } from "../../src/state/nodes/primitive";
import { activeEditor } from "../../src/state/session/editor";
import { activeTab, openWorkflow, schemaOf, useStudio } from "../../src/state/session/studio";

const catalog = withPrimitive(
  readCatalog({
    Size: {
      input: {
        required: {
          width: ["INT", { default: 512, min: 16, max: 4096 }],
          seed: ["INT", { default: 0, min: 0, max: 99, control_after_generate: true }],
          kind: [["fast", "slow"], {}],
        },
      },
      output: ["LATENT"],
    },
    Counted: {
      input: { required: { count: ["INT", { control_after_generate: "increment" }] } },
      output: ["INT"],
    },
    PrimitiveInt: {
      input: { required: { value: ["INT", { control_after_generate: true }] } },
      output: ["INT"],
    },
  }),
);

beforeEach(() => {
  useStudio.setState({ catalog });
  openWorkflow(
    { nodes: [{ id: 1, type: "Size", widgets_values: [128, 7, "increment", "slow"] }], links: [] },
    { name: "held" },
  );
});

function put(name: string): void {
  const input = schemaOf("Size")?.inputs.find((each) => each.name === name);
  if (input === undefined) throw new Error("there is no such field");
  convertToInput(activeEditor(), "1", input);
}

const held = () => Object.values(activeTab().graph.nodes).find((each) => each.key !== "1")?.values;

describe("a node that holds a field's value", () => {
  test("has that value, and no run changes it", () => {
    put("width");
    rollSeeds(activeEditor());
    expect(held()).toEqual({ value: 128, control_after_generate: "fixed" });
  });

  test("does with a seed what the field did", () => {
    put("seed");
    expect(held()).toEqual({ value: 7, control_after_generate: "increment" });
  });

  test("has it, too, where it was found by a wire from the field", () => {
    const schema = schemaOf("PrimitiveInt");
    if (schema === undefined) throw new Error("there is no such node");
    placeNode(
      activeEditor(),
      schema,
      { x: 0, y: 0 },
      { node: "1", socket: "width", side: "input", type: "INT" },
    );
    expect(held()).toEqual({ value: 128, control_after_generate: "fixed" });
  });

  test("holds a choice as well, with its type in the file", () => {
    put("kind");
    expect(held()).toMatchObject({ value: "slow" });
    const { nodes, links } = writeGraph(activeTab().workflow) as {
      nodes: { type: string; outputs: unknown[] }[];
      links: unknown[][];
    };
    const [output] = nodes.find((each) => each.type === "PrimitiveNode")?.outputs ?? [];
    expect(output).toMatchObject({ name: "COMBO", type: "COMBO", widget: { name: "kind" } });
    expect(links[0]?.at(-1)).toBe("COMBO");
  });

  test("begins with what its author says where it stands alone", () => {
    const schema = schemaOf("Counted");
    if (schema === undefined) throw new Error("there is no such node");
    placeNode(activeEditor(), schema, { x: 0, y: 0 });
    expect(held()).toMatchObject({ control_after_generate: "increment" });
  });
});
