/** Files and classes that a workflow needs and the server lacks, by exact names. */
import { expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { readGraph } from "../../src/document/read";
import { missingFrom, sentenceOf } from "../../src/state/files/missing";

const CATALOG = readCatalog({
  CheckpointLoaderSimple: {
    input: { required: { ckpt_name: [["here.safetensors"], {}] } },
    output: ["MODEL"],
  },
});
const layout = (type: string) =>
  type === "CheckpointLoaderSimple"
    ? [{ name: "ckpt_name", kind: "value" as const, default: "" }]
    : undefined;

function missing(...nodes: Record<string, unknown>[]) {
  const saved = nodes.map((each, index) => ({ id: index + 1, inputs: [], outputs: [], ...each }));
  return missingFrom(readGraph({ nodes: saved as never, links: [] }, layout), CATALOG);
}

const loader = (name: string, more: object = {}) => ({
  type: "CheckpointLoaderSimple",
  widgets_values: [name],
  ...more,
});

test("a file that the server has is not missed", () => {
  const found = missing(loader("here.safetensors"));
  expect(found).toEqual({ classes: [], files: [] });
  expect(sentenceOf(found)).toBeNull();
});

test("a file is named exactly, with its folder, once for all nodes that want it", () => {
  expect(missing(loader("there.safetensors"), loader("there.safetensors")).files).toEqual([
    { name: "there.safetensors", folder: "checkpoints", source: null, nodes: ["1", "2"] },
  ]);
});

test("what the workflow tells of a file is believed, its address only where it is one", () => {
  const told = (url: string) => ({
    properties: { models: [{ name: "there.safetensors", directory: "special", url }] },
  });
  const address = "https://example.org/there.safetensors";
  expect(missing(loader("there.safetensors", told(address))).files[0]).toMatchObject({
    folder: "special",
    source: address,
  });
  expect(missing(loader("there.safetensors", told("javascript:alert(1)"))).files[0]?.source).toBe(
    null,
  );
});

test("a class that nobody knows is told with its plugin, and the models it names", () => {
  const found = missing({
    type: "FancyLoader",
    properties: { cnr_id: "fancy-pack" },
    widgets_values: ["deep/model.gguf", "euler"],
  });
  expect(found.classes).toEqual([{ type: "FancyLoader", pack: "fancy-pack", nodes: ["1"] }]);
  expect(found.files.map((each) => each.name)).toEqual(["deep/model.gguf"]);
  expect(sentenceOf(found)).toContain("nodes and files");
});

test("notes are the editor's own, and nodes that do not run miss nothing", () => {
  expect(missing({ type: "Note" }, loader("there.safetensors", { mode: 4 }))).toEqual({
    classes: [],
    files: [],
  });
});
