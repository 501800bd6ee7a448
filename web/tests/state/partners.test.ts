/** A wire that is pulled into the open: the node that it most usually leads to is offered first. */

import { expect, test } from "vitest";
import { emptyGraph } from "../../src/document/graph";
import { offersOf } from "../../src/state/editing/offers";
import { newNode } from "../../src/state/nodes/widgets";
import { activeEditor } from "../../src/state/session/editor";
import { builtinCatalog } from "../builtinCatalog";

const catalog = builtinCatalog();
const AT = { x: 0, y: 0 };

/** "Class output TYPE" or "Class input NAME", and the partner that comes first. */
const SOCKETS: readonly (readonly [string, string])[] = [
  ["KSampler output LATENT", "VAEDecode"],
  ["KSamplerAdvanced output LATENT", "VAEDecode"],
  ["SamplerCustomAdvanced output LATENT", "VAEDecode"],
  ["SamplerCustom output LATENT", "VAEDecode"],
  ["KSampler input latent_image", "EmptyLatentImage"],
  ["KSampler input positive", "CLIPTextEncode"],
  ["KSampler input negative", "CLIPTextEncode"],
  ["KSampler input model", "CheckpointLoaderSimple"],
  ["KSamplerAdvanced input model", "CheckpointLoaderSimple"],
  ["KSamplerAdvanced input latent_image", "EmptyLatentImage"],
  ["KSamplerAdvanced input positive", "CLIPTextEncode"],
  ["SamplerCustomAdvanced input noise", "RandomNoise"],
  ["SamplerCustomAdvanced input guider", "CFGGuider"],
  ["SamplerCustomAdvanced input sampler", "KSamplerSelect"],
  ["SamplerCustomAdvanced input sigmas", "BasicScheduler"],
  ["SamplerCustomAdvanced input latent_image", "EmptyLatentImage"],
  ["SamplerCustom input sampler", "KSamplerSelect"],
  ["SamplerCustom input sigmas", "BasicScheduler"],
  ["CheckpointLoaderSimple output MODEL", "KSampler"],
  ["CheckpointLoaderSimple output CLIP", "CLIPTextEncode"],
  ["CheckpointLoaderSimple output VAE", "VAEDecode"],
  ["UNETLoader output MODEL", "KSampler"],
  ["CLIPLoader output CLIP", "CLIPTextEncode"],
  ["DualCLIPLoader output CLIP", "CLIPTextEncode"],
  ["VAELoader output VAE", "VAEDecode"],
  ["LoraLoader output MODEL", "KSampler"],
  ["LoraLoader output CLIP", "CLIPTextEncode"],
  ["LoraLoader input model", "CheckpointLoaderSimple"],
  ["LoraLoader input clip", "CheckpointLoaderSimple"],
  ["LoraLoaderModelOnly output MODEL", "KSampler"],
  ["LoraLoaderModelOnly input model", "CheckpointLoaderSimple"],
  ["CLIPTextEncode output CONDITIONING", "KSampler"],
  ["CLIPTextEncode input clip", "CheckpointLoaderSimple"],
  ["EmptyLatentImage output LATENT", "KSampler"],
  ["EmptySD3LatentImage output LATENT", "KSampler"],
  ["VAEDecode output IMAGE", "SaveImage"],
  ["VAEDecode input samples", "KSampler"],
  ["VAEDecode input vae", "VAELoader"],
  ["VAEEncode output LATENT", "KSampler"],
  ["VAEEncode input pixels", "LoadImage"],
  ["VAEEncode input vae", "VAELoader"],
  ["VAEEncodeForInpaint output LATENT", "KSampler"],
  ["VAEEncodeForInpaint input pixels", "LoadImage"],
  ["LoadImage output IMAGE", "VAEEncode"],
  ["LoadImage output MASK", "SetLatentNoiseMask"],
  ["SetLatentNoiseMask output LATENT", "KSampler"],
  ["SetLatentNoiseMask input samples", "VAEEncode"],
  ["SetLatentNoiseMask input mask", "LoadImage"],
  ["SaveImage input images", "VAEDecode"],
  ["PreviewImage input images", "VAEDecode"],
  ["ControlNetLoader output CONTROL_NET", "ControlNetApplyAdvanced"],
  ["ControlNetApplyAdvanced input control_net", "ControlNetLoader"],
  ["ControlNetApplyAdvanced input positive", "CLIPTextEncode"],
  ["ControlNetApplyAdvanced input image", "Canny"],
  ["ControlNetApplyAdvanced output CONDITIONING", "KSampler"],
  ["Canny output IMAGE", "ControlNetApplyAdvanced"],
  ["Canny input image", "LoadImage"],
  ["UpscaleModelLoader output UPSCALE_MODEL", "ImageUpscaleWithModel"],
  ["ImageUpscaleWithModel input upscale_model", "UpscaleModelLoader"],
  ["ImageUpscaleWithModel input image", "VAEDecode"],
  ["ImageUpscaleWithModel output IMAGE", "SaveImage"],
  ["LatentUpscaleBy output LATENT", "KSampler"],
  ["LatentUpscaleBy input samples", "KSampler"],
  ["RandomNoise output NOISE", "SamplerCustomAdvanced"],
  ["KSamplerSelect output SAMPLER", "SamplerCustomAdvanced"],
  ["BasicScheduler output SIGMAS", "SamplerCustomAdvanced"],
  ["CFGGuider output GUIDER", "SamplerCustomAdvanced"],
];

function offered(socket: string, used: Readonly<Record<string, number>> = {}): string[] {
  const [node = "", side, name = ""] = socket.split(" ");
  const schema = catalog[node];
  if (schema === undefined) throw new Error(`There is no ${node}.`);
  const input = schema.inputs.find((each) => each.name === name);
  const type = side === "output" ? name : (input?.type ?? "");
  const slot = schema.outputs.findIndex((each) => each.type === name);
  if (side === "output" ? slot < 0 : input === undefined) throw new Error(`No socket ${socket}.`);
  const graph = emptyGraph();
  const made = newNode(schema, 1, AT, 240);
  const pulled = {
    node: made.key,
    socket: side === "output" ? String(slot) : name,
    side: side as "input" | "output",
    type,
  };
  const groups = offersOf(activeEditor(), {
    catalog,
    graph: { ...graph, order: [made.key], nodes: { [made.key]: made } },
    usage: { used, recent: Object.keys(used) },
    palette: { screen: AT, at: AT, pulled },
    typed: "",
    path: null,
  });
  return groups.flatMap(({ offers }) =>
    offers.flatMap((each) => (each.kind === "node" ? [each.found.schema.class_type] : [])),
  );
}

test("there are 60 sockets and more", () => {
  expect(SOCKETS.length).toBeGreaterThanOrEqual(60);
});

test.each(SOCKETS)("%s is joined to %s first", (socket, partner) => {
  expect(offered(socket)[0]).toBe(partner);
});

test("habits do not overrule the usual partner, but decide between others", () => {
  const used = { LatentUpscale: 50, LatentCrop: 90 };
  const [first] = offered("KSampler output LATENT", used);
  expect(first).toBe("VAEDecode");
  const all = offered("KSampler output LATENT", used);
  const without = offered("KSampler output LATENT");
  expect(all.indexOf("LatentCrop")).toBeLessThan(without.indexOf("LatentCrop"));
});

test("a deprecated node never leads", () => {
  const deprecated = Object.values(catalog).filter((each) => each.deprecated);
  expect(deprecated.length).toBeGreaterThan(0);
  for (const [socket] of SOCKETS) {
    expect(catalog[offered(socket)[0] ?? ""]?.deprecated).toBe(false);
  }
});
