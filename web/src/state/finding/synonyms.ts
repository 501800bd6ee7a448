/**
 * Synonyms of nodes, in lower case. Nodes in the order of how common they are, which breaks ties in
 * a search.
 */

const WORDS: Readonly<Record<string, readonly string[]>> = {
  CLIPTextEncode: ["text", "prompt", "positive", "negative", "encode text"],
  CheckpointLoaderSimple: ["load model", "model", "checkpoint", "ckpt", "load ckpt"],
  KSampler: ["sample", "sampler", "generate", "denoise", "diffuse"],
  VAEDecode: ["latent to image", "decode"],
  SaveImage: ["output", "export", "write"],
  EmptyLatentImage: ["size", "resolution", "blank", "txt2img", "canvas"],
  PreviewImage: ["show image", "view", "display"],
  LoadImage: ["open", "upload", "input", "picture", "photo", "img2img"],
  LoraLoader: ["lora", "load lora"],
  UNETLoader: ["load model", "load diffusion model", "unet", "dit"],
  LoraLoaderModelOnly: ["lora", "load lora"],
  CLIPLoader: ["text encoder", "load clip", "t5"],
  DualCLIPLoader: ["text encoder", "load clip", "t5"],
  VAELoader: ["load vae"],
  VAEEncode: ["image to latent", "img2img", "encode"],
  VAEEncodeForInpaint: ["inpaint", "fill"],
  InpaintModelConditioning: ["inpaint", "fill"],
  SetLatentNoiseMask: ["inpaint", "mask latent"],
  ImagePadForOutpaint: ["outpaint", "extend", "uncrop"],
  KSamplerAdvanced: ["sampler", "refiner", "start step"],
  SamplerCustomAdvanced: ["sampler", "custom sampler"],
  KSamplerSelect: ["sampler name"],
  RandomNoise: ["seed", "noise"],
  CFGGuider: ["cfg", "guidance"],
  BasicGuider: ["guidance", "no cfg"],
  BasicScheduler: ["sigmas", "scheduler", "steps"],
  CLIPSetLastLayer: ["clip skip"],
  LatentUpscale: ["upscale", "hires", "resize"],
  LatentUpscaleBy: ["upscale", "hires fix", "resize"],
  ImageScale: ["upscale", "resize", "downscale"],
  ImageScaleBy: ["upscale", "resize", "downscale"],
  ImageScaleToTotalPixels: ["resize", "megapixels", "downscale"],
  ImageUpscaleWithModel: ["upscale", "esrgan", "super resolution"],
  UpscaleModelLoader: ["esrgan", "load upscale model"],
  PreviewAny: ["show anything", "print", "debug", "display"],
  ImageCrop: ["cut", "trim image"],
  ImageCompositeMasked: ["paste", "overlay", "blend"],
  ImageBatch: ["join images", "combine images"],
  ImageStitch: ["side by side", "join images"],
  GetImageSize: ["width", "height", "dimensions", "resolution"],
  ControlNetLoader: ["controlnet", "control"],
  ControlNetApplyAdvanced: ["controlnet", "control", "pose", "depth"],
  ConditioningCombine: ["mix prompts", "and"],
  ConditioningConcat: ["break", "join prompts"],
  ConditioningSetMask: ["regional prompt"],
  ConditioningSetArea: ["regional prompt"],
  ConditioningSetTimestepRange: ["prompt schedule", "from to"],
  ConditioningZeroOut: ["empty negative", "no negative"],
  MaskToImage: ["mask to image"],
  ImageToMask: ["image to mask"],
  GrowMask: ["expand mask", "dilate"],
  FeatherMask: ["soften", "blur mask"],
  PrimitiveInt: ["number", "integer"],
  PrimitiveFloat: ["number", "decimal"],
  PrimitiveBoolean: ["switch", "toggle", "checkbox"],
  PrimitiveString: ["text value", "string"],
  PrimitiveStringMultiline: ["text value", "string", "note"],
  StringConcatenate: ["join text", "append", "combine text"],
  ComfySwitchNode: ["if", "switch", "choose"],
  Reroute: ["dot", "knot"],
};

const ORDER: ReadonlyMap<string, number> = new Map(
  Object.keys(WORDS).map((type, index, all) => [type, 1 - index / all.length]),
);

/** From 1 for the most common node down to 0. */
export function commonness(type: string): number {
  return ORDER.get(type) ?? 0;
}

export function synonymsOf(type: string): readonly string[] {
  return WORDS[type] ?? [];
}
