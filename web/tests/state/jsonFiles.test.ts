/** JSON files that are dropped or chosen, with any name and encoding. */
import { Buffer } from "node:buffer";
import { describe, expect, test } from "vitest";
import { documentIn } from "../../src/state/embedded/document";

describe("files of JSON", () => {
  const graph = '{"nodes":[{"id":1,"type":"Note","widgets_values":["狐"]}],"seed":NaN}';
  const utf16 = Buffer.from(`\ufeff${graph}`, "utf16le");
  test.each([
    ["UTF-8", "graph.json", Buffer.from(graph)],
    ["a byte order mark", "graph.json", Buffer.from(`\ufeff${graph}`)],
    ["UTF-16", "graph.json", utf16],
    ["UTF-16 without a mark", "graph.json", Buffer.from(graph, "utf16le")],
    ["UTF-16 of the other order", "graph.json", Buffer.from(utf16).swap16()],
    ["another name", "graph.txt", Buffer.from(`\n  ${graph}`)],
    ["a name of many signs", "what? a:b.JSON ", Buffer.from(graph)],
  ])("%s", async (_, name, content) => {
    const found = await documentIn(new File([new Uint8Array(content)], name));
    expect(found?.value).toMatchObject({ nodes: [{ widgets_values: ["狐"] }] });
  });

  const prompt = { "1": { class_type: "A", inputs: {} } };
  test.each([
    [{ workflow: { nodes: [] }, prompt }, { nodes: [] }],
    [{ prompt, client_id: "x" }, prompt],
    [
      { ...prompt, _comment: "mine" },
      { ...prompt, _comment: "mine" },
    ],
  ])("the document inside %j is found", async (value, inside) => {
    const text = `${JSON.stringify(value)}\n\0\0\0`;
    const found = await documentIn(new File([text], "x.json"));
    expect(found?.value).toEqual(inside);
  });

  test.each([
    ['{"nodes":[', "x.json is not JSON."],
    ["[1]", "x.json contains no workflow."],
    ["", "x.json is not JSON."],
    [
      `{"nodes":[],"extra":${"[".repeat(5000)}${"]".repeat(5000)}}`,
      "x.json is nested too deeply to be a workflow.",
    ],
  ])("%.20s is refused by its name", async (text, message) => {
    await expect(documentIn(new File([text], "x.json"))).rejects.toThrow(message);
  });

  test("a model's header is none", async () => {
    const header = '{"__metadata__":{"workflow":"{\\"nodes\\":[]}"}}';
    const file = Buffer.concat([
      Buffer.from([header.length, 0, 0, 0, 0, 0, 0, 0]),
      Buffer.from(header),
    ]);
    expect(await documentIn(new File([new Uint8Array(file)], "model.safetensors"))).toEqual({
      value: { nodes: [] },
      left: null,
    });
  });
});
