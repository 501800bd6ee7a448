/** Which sockets fit, which nodes convert, and which are found for a pulled wire. */
import { deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { readGraph } from "../../src/document/read";
import { textsOfPng } from "../../src/state/embedded/png";
import { asJsonNumber, nextValue } from "../../src/state/fields/rolling";
import { search } from "../../src/state/finding/search";
import { shapeOf, TITLE } from "../../src/state/nodes/shape";
import { closeness, convertersFor, fits, refusal } from "../../src/state/nodes/sockets";
import { controlOf, layoutOf, newNode } from "../../src/state/nodes/widgets";
import { shownNumber, stepped, typedNumber } from "../../src/widgets/number";

const catalog = readCatalog({
  KSampler: {
    input: {
      required: {
        model: ["MODEL"],
        seed: ["INT", { default: 0, min: 0, max: 18446744073709551615n }],
        steps: ["INT", { default: 20, min: 1, max: 10000 }],
        text: ["STRING", { multiline: true }],
        latent_image: ["LATENT"],
      },
      optional: { mask: ["MASK"], extra: ["STRING", { forceInput: true }] },
    },
    output: ["LATENT"],
    display_name: "KSampler",
  },
  VAEDecode: {
    input: { required: { samples: ["LATENT"], vae: ["VAE"] } },
    output: ["IMAGE"],
    display_name: "VAE Decode",
  },
  LatentToAll: {
    input: { required: { samples: ["LATENT"], a: ["X"], b: ["Y"] } },
    output: ["IMAGE"],
    display_name: "Latent to all",
  },
  Show: { input: { required: { any: ["*"] } }, output: [], display_name: "Show anything" },
});
const schema = (name: string) => {
  const found = catalog[name];
  if (found === undefined) throw new Error(name);
  return found;
};

describe("which sockets fit", () => {
  test.each([
    ["IMAGE", "IMAGE", true],
    ["IMAGE", "image", true],
    ["IMAGE", "MASK", false],
    ["IMAGE", "MASK, IMAGE", true],
    ["*", "MASK", true],
    ["LATENT", "*", true],
  ])("%s into %s: %s", (output, wanted, expected) => {
    expect(fits(output, wanted)).toBe(expected);
  });

  test("the same type is closer than one that takes anything", () => {
    expect(closeness("IMAGE", "IMAGE")).toBeGreaterThan(closeness("IMAGE", "IMAGE,MASK"));
    expect(closeness("IMAGE", "IMAGE,MASK")).toBeGreaterThan(closeness("IMAGE", "*"));
    expect(closeness("IMAGE", "MASK")).toBe(-1);
  });

  test("the node with the fewest inputs goes between", () => {
    expect(convertersFor(catalog, "LATENT", "IMAGE").map((each) => each.class_type)).toEqual([
      "VAEDecode",
      "LatentToAll",
    ]);
    expect(convertersFor(catalog, "IMAGE", "MODEL")).toEqual([]);
  });

  test("a circle is refused, however long", () => {
    const count = 2000;
    const nodes = Array.from({ length: count }, (_, index) => ({
      id: index,
      type: "A",
      inputs: [{ name: "x", type: "X", link: index === 0 ? null : index }],
      outputs: [{ name: "y", type: "X", links: index === count - 1 ? [] : [index + 1] }],
    }));
    const links = nodes.slice(1).map(({ id }) => [id, id - 1, 0, id, 0, "X"]);
    const graph = readGraph({ nodes, links }, () => undefined);
    const ends = { fromType: "X", toType: "X", toName: "x" };
    expect(refusal(graph, { ...ends, from: String(count - 1), to: "0" })).toMatch("cycle");
    expect(refusal(graph, { ...ends, from: "0", to: String(count - 1) })).toBeNull();
    expect(refusal(graph, { ...ends, from: "5", to: "5" })).toMatch("itself");
    expect(refusal(graph, { ...ends, from: "0", to: "1", toType: "Y" })).toBe("x takes Y, not X.");
  });
});

const NO_HABITS = { used: {}, recent: [] };

describe("finding nodes", () => {
  const names = (typed: string, used = {}, recent: string[] = []) =>
    search(catalog, typed, { used, recent }).map((each) => each.schema.class_type);

  test("the start of a name is better than its middle, letters in order are enough", () => {
    expect(names("latent")[0]).toBe("LatentToAll");
    expect(names("vdec")).toContain("VAEDecode");
    expect(names("nothing of this kind")).toEqual([]);
  });

  test("what one used before comes first among equals", () => {
    expect(names("", { VAEDecode: 3 })[0]).toBe("VAEDecode");
    expect(names("", {}, ["Show", "KSampler"]).slice(0, 2)).toEqual(["Show", "KSampler"]);
  });

  test("a pulled wire narrows the list, the closest first", () => {
    const from = (side: "output" | "input", type: string) =>
      search(catalog, "", NO_HABITS, { pulled: { node: "1", socket: "0", side, type } }).map(
        (each) => each.schema.class_type,
      );
    expect(from("output", "VAE")).toEqual(["VAEDecode", "Show"]);
    expect(from("input", "LATENT")).toEqual(["KSampler"]);
  });
});

describe("widgets", () => {
  test("a saved list holds a seed's control, and in old files inputs that are only linked", () => {
    expect(layoutOf(schema("KSampler")).map((each) => [each.name, each.kind])).toEqual([
      ["seed", "value"],
      ["control_after_generate", "control"],
      ["steps", "value"],
      ["text", "value"],
      ["extra", "forced"],
    ]);
    const [, seed, steps] = schema("KSampler").inputs;
    expect(seed && controlOf(schema("KSampler"), seed)).toBe("control_after_generate");
    expect(steps && controlOf(schema("KSampler"), steps)).toBeNull();
  });

  test("a new node has its defaults and its sockets, each in its own row", () => {
    const node = newNode(schema("KSampler"), 3, { x: 0, y: 0 }, 240);
    expect(node.values).toMatchObject({ seed: 0, control_after_generate: "randomize", steps: 20 });
    expect(node.inputs.map((each) => each.name)).toEqual([
      "model",
      "latent_image",
      "mask",
      "extra",
    ]);
    const shape = shapeOf(node, schema("KSampler"), false);
    const rows = [...shape.inputs.map((each) => each.y), ...shape.widgets.map((each) => each.y)];
    expect(new Set(rows).size).toBe(rows.length);
    const last = shape.widgets.at(-1);
    expect(shape.height).toBeGreaterThanOrEqual((last?.y ?? 0) + (last?.height ?? 0));
    expect(Math.min(...rows)).toBeGreaterThan(TITLE);
  });

  test("a node keeps its saved size where it is large enough", () => {
    const node = newNode(schema("KSampler"), 3, { x: 0, y: 0 }, 240);
    node.size = { width: 400, height: 700 };
    expect(shapeOf(node, schema("KSampler"), false)).toMatchObject({ width: 400, height: 730 });
  });
});

describe("seeds", () => {
  const range = { min: 0, max: 18446744073709551615n };

  test("step exactly at 64 bits, and stay at the end", () => {
    expect(nextValue(18446744073709551614n, "increment", range)).toBe(18446744073709551615n);
    expect(nextValue(18446744073709551615n, "increment", range)).toBe(18446744073709551615n);
    expect(nextValue(0, "decrement", range)).toBe(0);
    expect(nextValue(5, "fixed", range)).toBeNull();
    expect(nextValue("text", "randomize", range)).toBeNull();
  });

  test("are drawn inside the range", () => {
    expect(nextValue(0, "randomize", { min: 10, max: 19 }, () => 123n)).toBe(13);
    expect(asJsonNumber(7n)).toBe(7);
  });

  test("are typed, shown and stepped without loss", () => {
    const whole = { min: 0, max: 18446744073709551615n, step: 1, whole: true };
    expect(typedNumber("18446744073709551615", whole)).toBe(18446744073709551615n);
    expect(typedNumber("99999999999999999999", whole)).toBe(18446744073709551615n);
    expect(stepped(9007199254740991, 2, whole)).toBe(9007199254740993n);
    expect(shownNumber(18446744073709551615n, whole)).toBe("18446744073709551615");
  });

  test("sums are worked out, nonsense is not", () => {
    const range = { min: 0, max: 4096, step: 8, whole: true };
    expect(typedNumber("512*2", range)).toBe(1024);
    expect(typedNumber("1000/3", range)).toBe(333);
    expect(typedNumber("wide", range)).toBeNull();
    const float = { min: 0, max: 10, step: 0.1, whole: false };
    expect(stepped(0.1, 2, float)).toBe(0.3);
    expect(typedNumber("2,5", float)).toBe(2.5);
  });
});

describe("pictures' texts", () => {
  const chunk = (kind: string, body: Buffer) => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(body.length);
    head.write(kind, 4, "latin1");
    return Buffer.concat([head, body, Buffer.alloc(4)]);
  };
  const png = (...chunks: Buffer[]) =>
    new Uint8Array(
      Buffer.concat([
        Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
        ...chunks,
        chunk("IEND", Buffer.alloc(0)),
      ]),
    );

  test("are read plain, packed and international", async () => {
    const texts = await textsOfPng(
      png(
        chunk("tEXt", Buffer.from("prompt\0{}", "latin1")),
        chunk("zTXt", Buffer.concat([Buffer.from("packed\0\0"), deflateSync("squeezed")])),
        chunk("iTXt", Buffer.from("workflow\0\0\0\0\0ü", "utf8")),
      ),
    );
    expect(texts).toEqual({ prompt: "{}", packed: "squeezed", workflow: "ü" });
  });

  test("of damaged or other files are none", async () => {
    const broken = png(chunk("zTXt", Buffer.from("packed\0\0nonsense")));
    expect(await textsOfPng(broken)).toEqual({});
    expect(await textsOfPng(new Uint8Array([1, 2, 3]))).toEqual({});
    expect(await textsOfPng(png(chunk("tEXt", Buffer.from("a\0b"))).slice(0, 14))).toEqual({});
  });
});
