/**
 * The usual partners of sockets, best first: by class and socket, else by type. From counts of wires
 * in the open templates of the template package, without its switches and expressions; sockets of
 * the basic nodes, which templates with one model each count wrongly, are set by hand.
 */

/** By "Class TYPE" of an output. */
const AFTER: Readonly<Record<string, string>> = {
  "Canny IMAGE": "ControlNetApplyAdvanced,PreviewImage",
  "EasyCache MODEL": "BasicScheduler,ModelSamplingSD3,CFGGuider",
  "EmptyFlux2LatentImage LATENT": "SamplerCustomAdvanced,KSampler",
  "EmptyLatentImage LATENT": "KSampler,SamplerCustom,SamplerCustomAdvanced",
  "EmptySD3LatentImage LATENT": "KSampler,SamplerCustomAdvanced",
  "FluxGuidance CONDITIONING": "InpaintModelConditioning,KSampler,InstructPixToPixConditioning",
  "FluxKontextImageScale IMAGE": "TextEncodeQwenImageEditPlus,VAEEncode",
  "GetImageSize INT": "EmptyFlux2LatentImage,Flux2Scheduler,EmptySD3LatentImage",
  "GetVideoComponents AUDIO": "CreateVideo",
  "GetVideoComponents FLOAT": "CreateVideo",
  "GetVideoComponents IMAGE": "ImageFromBatch,Canny,ResizeImageMaskNode",
  "GrowMask MASK": "InvertMask,ImageCompositeMasked,MaskPreview",
  "ImageFromBatch IMAGE": "ResizeImageMaskNode,CreateVideo",
  "ImagePadForOutpaint MASK": "InpaintModelConditioning,SetLatentNoiseMask,MaskToImage",
  "ImageScaleBy IMAGE": "VAEEncode,Canny,GetImageSize",
  "ImageScaleToTotalPixels IMAGE": "VAEEncode,GetImageSize,TextEncodeQwenImageEditPlus",
  "InstructPixToPixConditioning CONDITIONING": "DualCFGGuider,KSampler",
  "InstructPixToPixConditioning LATENT": "SamplerCustomAdvanced,KSampler",
  "InvertMask MASK": "JoinImageWithAlpha,MaskToImage",
  "JsonExtractString STRING": "PreviewAny,ComfyNumberConvert,StringReplace",
  "LatentUpscale LATENT": "KSampler",
  "LatentUpscaleBy LATENT": "KSampler",
  "LoadImage IMAGE": "VAEEncode,ImageScaleToTotalPixels,ControlNetApplyAdvanced,PreviewImage",
  "LoadVideo VIDEO": "GetVideoComponents,Video,Slice",
  "MaskToImage IMAGE": "RepeatImageBatch,BatchImagesNode,ImageCompositeMasked",
  "ModelSamplingAuraFlow MODEL": "CFGNorm,KSampler,BasicScheduler",
  "ModelSamplingFlux MODEL": "BasicScheduler,CFGGuider,CFGNorm",
  "PrimitiveFloat FLOAT": "CreateVideo,TrimAudioDuration,KSampler",
  "PrimitiveInt INT": "ResizeImageMaskNode,SolidMask,Flux2Scheduler",
  "PrimitiveStringMultiline STRING": "StringConcatenate,StringReplace,CLIPTextEncode",
  "ReferenceLatent CONDITIONING": "CFGGuider,ReferenceLatent,KSampler",
  "RegexReplace STRING": "PreviewAny,RegexReplace,JsonExtractString",
  "ResizeImageMaskNode IMAGE": "GetImageSize,CLIPVisionEncode,Canny",
  "SaveImage IMAGE": "ImageCompare",
  "SetLatentNoiseMask LATENT": "KSampler",
  "StringReplace STRING": "StringReplace,StringConcatenate,JsonExtractString",
  "VAEEncode LATENT": "KSampler,ReferenceLatent,SamplerCustomAdvanced",
  "VAEEncodeForInpaint LATENT": "KSampler",
};

/** By "Class input". */
const BEFORE: Readonly<Record<string, string>> = {
  "BasicGuider conditioning": "FluxGuidance,ReferenceLatent,CLIPTextEncode",
  "BasicGuider model": "UNETLoader,ModelSamplingSD3,ModelSamplingAuraFlow",
  "BasicScheduler model": "UNETLoader,ModelSamplingFlux,CheckpointLoaderSimple",
  "CFGGuider model": "LoraLoaderModelOnly,UNETLoader,ModelSamplingSD3",
  "CFGNorm model": "ModelSamplingAuraFlow,UNETLoader,ModelSamplingFlux",
  "CLIPTextEncode text": "PreviewAny,StringConcatenate,PrimitiveStringMultiline",
  "ControlNetApplyAdvanced image": "Canny,LoadImage",
  "CreateVideo audio": "GetVideoComponents,LoadAudio",
  "CreateVideo fps": "GetVideoComponents,PrimitiveFloat",
  "CreateVideo images": "VAEDecode,VAEDecodeTiled,ImageUpscaleWithModel",
  "DualCFGGuider cond1": "InstructPixToPixConditioning,ReferenceLatent",
  "DualCFGGuider cond2": "InstructPixToPixConditioning,ReferenceLatent",
  "EmptyFlux2LatentImage height": "GetImageSize,PrimitiveInt",
  "EmptyFlux2LatentImage width": "GetImageSize,PrimitiveInt",
  "Flux2Scheduler height": "GetImageSize,PrimitiveInt",
  "Flux2Scheduler width": "GetImageSize,PrimitiveInt",
  "FluxKontextMultiReferenceLatentMethod conditioning":
    "TextEncodeQwenImageEditPlus ReferenceLatent",
  "GetImageSize image": "ImageScaleToTotalPixels,ResizeImageMaskNode,GetVideoComponents",
  "GetVideoComponents video": "LoadVideo,Video,Slice",
  "ImageCompare image_b": "SaveImage,SaveImageAdvanced",
  "ImageFromBatch image": "GetVideoComponents,VAEDecode",
  "ImageInvert image": "VAEDecode",
  "ImageUpscaleWithModel image": "VAEDecode,LoadImage",
  "LatentConcat samples2": "KSampler",
  "LatentUpscale samples": "KSampler",
  "LatentUpscaleBy samples": "KSampler",
  "MaskToImage mask": "SolidMask,InvertMask,ImagePadForOutpaint",
  "ModelSamplingAuraFlow model": "LoraLoaderModelOnly,UNETLoader",
  "ModelSamplingSD3 model": "UNETLoader,EasyCache,LoraLoader",
  "PreviewAny source": "RegexReplace,JsonExtractString,StringConcatenate",
  "PreviewImage images": "VAEDecode,LoadImage",
  "ReferenceLatent latent": "VAEEncode",
  "ResizeImageMaskNode input": "LoadImage,ImageFromBatch,ResizeImageMaskNode",
  "SaveImage images": "VAEDecode,ImageUpscaleWithModel",
  "SetLatentNoiseMask samples": "VAEEncode",
  "SkipLayerGuidanceDiTSimple model": "UNETLoader,LoraLoaderModelOnly",
  "StringReplace string": "StringReplace,PrimitiveStringMultiline,JsonExtractString",
  "TextEncodeQwenImageEditPlus clip": "CLIPLoader",
  "TextEncodeQwenImageEditPlus image1": "ImageScaleToTotalPixels,FluxKontextImageScale",
  "VAEDecode samples": "KSampler,SamplerCustomAdvanced,SamplerCustom",
  "VAEDecodeTiled samples": "SamplerCustomAdvanced,KSampler",
};

/** By the type of an output. */
const TAKES: Readonly<Record<string, string>> = {
  AUDIO: "SaveAudio,CreateVideo,PreviewAudio",
  CLIP: "CLIPTextEncode,TextEncodeQwenImageEditPlus,LoraLoader",
  CLIP_VISION: "CLIPVisionEncode,SVD_img2vid_Conditioning",
  CONDITIONING: "KSampler,CFGGuider,ConditioningZeroOut",
  CONTROL_NET: "ControlNetApplyAdvanced",
  FLOAT: "KSampler",
  GUIDER: "SamplerCustomAdvanced",
  IMAGE: "SaveImage,PreviewImage,VAEEncode,GetImageSize",
  "IMAGE,MASK": "ResizeImageMaskNode,GetImageSize",
  INT: "EmptyLatentImage,KSampler",
  LATENT: "VAEDecode,KSampler,SamplerCustomAdvanced",
  MASK: "SetLatentNoiseMask,GrowMask,MaskToImage,InvertMask",
  MODEL: "KSampler,LoraLoaderModelOnly,BasicScheduler",
  NOISE: "SamplerCustomAdvanced",
  SAMPLER: "SamplerCustomAdvanced,SamplerCustom",
  SIGMAS: "SamplerCustomAdvanced,SamplerCustom,SetFirstSigma",
  STRING: "CLIPTextEncode,PreviewAny,StringConcatenate",
  UPSCALE_MODEL: "ImageUpscaleWithModel",
  VAE: "VAEDecode,VAEEncode,VAEDecodeTiled",
  VIDEO: "SaveVideo,GetVideoComponents",
};

/** By the type of an input. */
const GIVES: Readonly<Record<string, string>> = {
  AUDIO: "LoadAudio,GetVideoComponents",
  BOOLEAN: "PrimitiveBoolean",
  CLIP: "CheckpointLoaderSimple,CLIPLoader,DualCLIPLoader",
  CLIP_VISION: "CLIPVisionLoader,ImageOnlyCheckpointLoader",
  CONDITIONING: "CLIPTextEncode,TextEncodeQwenImageEditPlus,ReferenceLatent",
  CONTROL_NET: "ControlNetLoader",
  FLOAT: "PrimitiveFloat,GetVideoComponents",
  GUIDER: "CFGGuider,BasicGuider,DualCFGGuider",
  IMAGE: "LoadImage,VAEDecode,ImageScaleToTotalPixels",
  "IMAGE,MASK": "ResizeImageMaskNode",
  INT: "PrimitiveInt,GetImageSize,GetVideoComponents",
  LATENT: "EmptyLatentImage,KSampler,VAEEncode",
  MASK: "LoadImage,GrowMask,SolidMask",
  MODEL: "CheckpointLoaderSimple,UNETLoader,LoraLoaderModelOnly",
  NOISE: "RandomNoise,DisableNoise",
  SAMPLER: "KSamplerSelect,SamplerEulerAncestral",
  SIGMAS: "BasicScheduler,ManualSigmas,Flux2Scheduler",
  STRING: "PrimitiveStringMultiline,PreviewAny,StringReplace",
  UPSCALE_MODEL: "UpscaleModelLoader",
  VAE: "VAELoader,CheckpointLoaderSimple,ImageOnlyCheckpointLoader",
  VIDEO: "CreateVideo,LoadVideo,Video,Slice",
};

interface SocketOfClass {
  side: "output" | "input";
  /** The class of the node that the wire is pulled from. */
  node: string;
  /** An input's name. */
  name: string;
  type: string;
}

/** Classes that are usually joined to this socket, the most usual first. */
export function partnersOf({ side, node, name, type }: SocketOfClass): readonly string[] {
  const found =
    side === "output"
      ? (AFTER[`${node} ${type}`] ?? TAKES[type])
      : (BEFORE[`${node} ${name}`] ?? GIVES[type]);
  return found?.split(",") ?? [];
}
