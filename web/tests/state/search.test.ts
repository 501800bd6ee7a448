/** Finding and ranking names. */
import { describe, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { socketsFor } from "../../src/state/finding/fitting";
import { completed, completions, packOf, readQuery } from "../../src/state/finding/query";
import { search, type UsageStats } from "../../src/state/finding/search";

const catalog = readCatalog({
  CLIPTextEncode: {
    input: { required: { text: ["STRING", { multiline: true }], clip: ["CLIP"] } },
    output: ["CONDITIONING"],
    display_name: "CLIP Text Encode (Prompt)",
    category: "conditioning",
    python_module: "nodes",
  },
  PreviewAny: {
    input: { required: { source: ["*"] } },
    output: ["STRING"],
    display_name: "Preview as Text",
    category: "utils",
    python_module: "nodes",
  },
  LoadImage: {
    input: { required: { image: [["a.png"], { image_upload: true }] } },
    output: ["IMAGE", "MASK"],
    display_name: "Load Image",
    category: "image",
    python_module: "nodes",
  },
  LoadImageMask: {
    input: { required: { image: [["a.png"]] } },
    output: ["MASK"],
    display_name: "Load Image (as Mask)",
    category: "mask",
    python_module: "nodes",
  },
  ImageScale: {
    input: { required: { image: ["IMAGE"], width: ["INT"], mask: ["MASK"] } },
    output: ["IMAGE"],
    display_name: "Upscale Image",
    category: "image/upscaling",
    python_module: "nodes",
  },
  OldScale: {
    input: { required: { image: ["IMAGE"] } },
    output: ["IMAGE"],
    display_name: "Upscale Image Old",
    category: "image/upscaling",
    python_module: "custom_nodes.old_pack",
    deprecated: true,
  },
});
const NONE: UsageStats = { used: {}, recent: [] };
const names = (typed: string, habits = NONE) =>
  search(catalog, typed, habits).map((each) => each.schema.class_type);

describe("ranking", () => {
  test("what people call a node finds it before what merely holds the letters", () => {
    expect(names("text")[0]).toBe("CLIPTextEncode");
    expect(names("resize")).toEqual(["ImageScale"]);
    expect(search(catalog, "resize", NONE)[0]?.also).toBe("resize");
  });
  test("a whole name is better than a longer one, words may stand in any order", () => {
    expect(names("load image").slice(0, 2)).toEqual(["LoadImage", "LoadImageMask"]);
    expect(names("image load")).toContain("LoadImage");
  });
  test("the letters found are marked", () => {
    expect(search(catalog, "load", NONE)[0]?.marks).toEqual([0, 1, 2, 3]);
  });
  test("one wrong letter is forgiven where nothing else is found", () => {
    expect(names("upscole")).toContain("ImageScale");
  });
  test("habit lifts, but not over a much better match; deprecated ones come late", () => {
    expect(names("upscale image")).toEqual(["ImageScale", "OldScale"]);
    expect(names("load", { used: { LoadImageMask: 9 }, recent: ["LoadImageMask"] })[0]).toBe(
      "LoadImageMask",
    );
    expect(names("text", { used: { PreviewAny: 1 }, recent: [] })[0]).toBe("CLIPTextEncode");
  });
  test("a node meant for the wire comes before one that takes anything or takes it late", () => {
    const pulled = { node: "1", socket: "0", side: "output", type: "MASK" } as const;
    expect(search(catalog, "", NONE, { pulled }).map((each) => each.schema.class_type)).toEqual([
      "ImageScale",
      "PreviewAny",
    ]);
    const image = { ...pulled, type: "IMAGE" };
    const scale = catalog.ImageScale;
    expect(scale && socketsFor(scale, image)).toEqual(["image"]);
  });
});

describe("signs", () => {
  test("narrow by category, pack and types, together with words", () => {
    expect(names("#mask")).toEqual(["LoadImageMask"]);
    expect(names("#scal")).toEqual([]);
    expect(names("@old")).toEqual(["OldScale"]);
    expect(names(">in:CLIP")).toEqual(["CLIPTextEncode"]);
    expect(names("<out:MASK mask")).toEqual(["LoadImageMask"]);
    expect(names("<MASK")).toEqual(["LoadImage", "LoadImageMask"]);
    expect(readQuery("big #image >in: ").filters).toEqual([{ sign: "#", value: "image" }]);
  });
  test("are completed from what there is", () => {
    expect(completions(catalog, "x #im")).toEqual(["image", "image/upscaling"]);
    expect(completions(catalog, ">in:CL")).toEqual(["CLIP"]);
    expect(completions(catalog, "<out:MASK")).toEqual([]);
    expect(completions(catalog, "@")).toEqual(["built-in", "old_pack"]);
    expect(completions(catalog, "plain")).toEqual([]);
    expect(completed("x >CL", "CLIP")).toBe("x >in:CLIP ");
    const old = catalog.OldScale;
    expect(old && packOf(old)).toBe("old_pack");
  });
});

describe("what is offered for a pulled wire", () => {
  const one = (name: string, inputs: object, output: string) => ({
    [name]: {
      input: { required: inputs },
      output: [output],
      display_name: name,
      category: "test",
      python_module: "nodes",
    },
  });
  const nodes = readCatalog({
    ...one("CLIPSetLastLayer", { clip: ["CLIP"], layer: ["INT"] }, "CLIP"),
    ...one("CLIPTextEncode", { text: ["STRING"], clip: ["CLIP"] }, "CONDITIONING"),
    ...one("VAEEncode", { pixels: ["IMAGE"], vae: ["VAE"] }, "LATENT"),
    ...one("ImageScale", { image: ["IMAGE"] }, "IMAGE"),
    ...one("SaveImage", { images: ["IMAGE"], prefix: ["STRING"] }, "IMAGE"),
  });
  const offered = (type: string) => {
    const pulled = { node: "1", socket: "0", side: "output", type } as const;
    return search(nodes, "", NONE, { pulled }).map((each) => each.schema.class_type);
  };

  test("a field before the socket does not make the node fit less", () => {
    expect(offered("CLIP")).toEqual(["CLIPTextEncode", "CLIPSetLastLayer"]);
  });

  test("what most graphs hold comes first", () => {
    expect(offered("IMAGE")).toEqual(["SaveImage", "VAEEncode", "ImageScale"]);
  });
});
