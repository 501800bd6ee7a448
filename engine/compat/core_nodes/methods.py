"""How plugins call the built-in nodes: the method of each class, and the order of its arguments.

Facts of the incumbent's interface. A class in `METHODS` is of the V1 dialect; every other class is
of the V3 dialect, with `execute`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

_METHODS = """
CLIPLoader load_clip
CLIPSetLastLayer set_last_layer
CLIPTextEncode encode clip text
CLIPVisionEncode encode
CLIPVisionLoader load_clip
CheckpointLoader load_checkpoint
CheckpointLoaderSimple load_checkpoint
ConditioningAverage addWeighted
ConditioningCombine combine
ConditioningConcat concat
ConditioningSetArea append
ConditioningSetAreaPercentage append
ConditioningSetAreaStrength append
ConditioningSetMask append conditioning mask set_cond_area strength
ConditioningSetTimestepRange set_range
ConditioningZeroOut zero_out
ControlNetApply apply_controlnet
ControlNetApplyAdvanced apply_controlnet
ControlNetLoader load_controlnet
DiffControlNetLoader load_controlnet
DiffusersLoader load_checkpoint
DualCLIPLoader load_clip
EmptyImage generate
EmptyLatentImage generate
GLIGENLoader load_gligen
GLIGENTextBoxApply append
ImageBatch batch
ImageInvert invert
ImagePadForOutpaint expand_image
ImageScale upscale
ImageScaleBy upscale
InpaintModelConditioning encode positive negative pixels vae mask noise_mask
KSampler sample
KSamplerAdvanced sample
LatentBlend blend
LatentComposite composite
LatentCrop crop
LatentFlip flip
LatentFromBatch frombatch
LatentRotate rotate
LatentUpscale upscale
LatentUpscaleBy upscale
LoadImage load_image
LoadImageMask load_image
LoadImageOutput load_image
LoadLatent load
LoraLoader load_lora
LoraLoaderModelOnly load_lora_model_only
PreviewImage save_images
RepeatLatentBatch repeat
SaveImage save_images
SaveLatent save
SetLatentNoiseMask set_mask
StyleModelApply apply_stylemodel
StyleModelLoader load_style_model
UNETLoader load_unet
VAEDecode decode vae samples
VAEDecodeTiled decode vae samples tile_size overlap temporal_size temporal_overlap
VAEEncode encode vae pixels
VAEEncodeForInpaint encode vae pixels mask grow_mask_by
VAEEncodeTiled encode vae pixels tile_size overlap temporal_size temporal_overlap
VAELoader load_vae
unCLIPCheckpointLoader load_checkpoint
unCLIPConditioning apply_adm
CombineHooks2 combine_hooks
CombineHooks4 combine_hooks
CombineHooks8 combine_hooks
ConditioningSetDefaultCombine set_default_and_combine
ConditioningSetProperties set_properties
ConditioningSetPropertiesAndCombine set_properties
ConditioningTimestepsRange create_range
CreateHookKeyframe create_hook_keyframe
CreateHookKeyframesFromFloats create_hook_keyframes
CreateHookKeyframesInterpolated create_hook_keyframes
CreateHookLora create_hook
CreateHookLoraModelOnly create_hook_model_only
CreateHookModelAsLora create_hook
CreateHookModelAsLoraModelOnly create_hook_model_only
PairConditioningCombine combine
PairConditioningSetDefaultCombine set_default_and_combine
PairConditioningSetProperties set_properties
PairConditioningSetPropertiesAndCombine set_properties
SetClipHooks apply_hooks clip schedule_clip apply_to_conds hooks
SetHookKeyframes set_hook_keyframes
LTXVLatentUpsampler upsample_latent
ModelComputeDtype patch
ModelSamplingAuraFlow patch_aura
ModelSamplingContinuousEDM patch
ModelSamplingContinuousV patch
ModelSamplingDiscrete patch
ModelSamplingFlux patch
ModelSamplingSD3 patch
ModelSamplingStableCascade patch
RescaleCFG patch
CLIPMergeAdd merge
CLIPMergeSimple merge
CLIPMergeSubtract merge
CLIPSave save
CheckpointSave save
ModelMergeAdd merge
ModelMergeBlocks merge
ModelMergeSimple merge
ModelMergeSubtract merge
ModelSave save
VAESave save
ModelMergeAuraflow merge
ModelMergeCosmos14B merge
ModelMergeCosmos7B merge
ModelMergeCosmosPredict2_14B merge
ModelMergeCosmosPredict2_2B merge
ModelMergeFlux1 merge
ModelMergeLTXV merge
ModelMergeMochiPreview merge
ModelMergeQwenImage merge
ModelMergeSD1 merge
ModelMergeSD2 merge
ModelMergeSD35_Large merge
ModelMergeSD3_2B merge
ModelMergeSDXL merge
ModelMergeWAN2_1 merge
ConditioningSetAreaPercentageVideo append
ImageOnlyCheckpointLoader load_checkpoint
ImageOnlyCheckpointSave save
ModelPatchLoader load_model_patch
PreviewAny main
QwenImageDiffsynthControlnet diffsynth_controlnet
SVD_img2vid_Conditioning encode
USOStyleReference apply_patch
VideoLinearCFGGuidance patch
VideoTriangleCFGGuidance patch
WebcamCapture load_capture
ZImageFunControlnet diffsynth_controlnet
"""
_OLD_METHODS = """
AddNoise add_noise
AlignYourStepsScheduler get_sigmas
BasicGuider get_guider
BasicScheduler get_sigmas
BetaSamplingScheduler get_sigmas
CFGGuider get_guider
CLIPTextEncodeFlux encode
CLIPTextEncodeSD3 encode
CLIPTextEncodeSDXL encode clip width height crop_w crop_h target_width target_height text_g text_l
CLIPTextEncodeSDXLRefiner encode clip ascore width height text
Canny detect_edge
ControlNetApplySD3 apply_controlnet
ControlNetInpaintingAliMamaApply apply_inpaint_controlnet
CropMask crop
DifferentialDiffusion apply
DisableNoise get_noise
DualCFGGuider get_guider
EmptyLTXVLatentVideo generate
EmptySD3LatentImage generate
ExponentialScheduler get_sigmas
FeatherMask feather
FlipSigmas get_sigmas
FluxGuidance append
FreeU patch
FreeU_V2 patch
GITSScheduler get_sigmas
GrowMask expand_mask
HyperTile patch
HypernetworkLoader load_hypernetwork
ImageBlend blend_images
ImageBlur blur
ImageColorToMask image_to_mask
ImageCompositeMasked composite
ImageCrop crop
ImageFromBatch frombatch
ImageQuantize quantize
ImageScaleToTotalPixels upscale
ImageSharpen sharpen
ImageToMask image_to_mask
ImageUpscaleWithModel upscale
InstructPixToPixConditioning encode
InvertMask invert
JoinImageWithAlpha join_image_with_alpha
KSamplerSelect get_sampler
KarrasScheduler get_sigmas
LTXVImgToVideo generate
LTXVPreprocess preprocess
LaplaceScheduler get_sigmas
LatentAdd op
LatentApplyOperation op
LatentApplyOperationCFG patch
LatentBatch batch
LatentBatchSeedBehavior op
LatentCompositeMasked composite
LatentInterpolate op
LatentMultiply op
LatentOperationSharpen op
LatentOperationTonemapReinhard op
LatentSubtract op
MaskComposite combine
MaskToImage mask_to_image
Morphology process
OptimalStepsScheduler get_sigmas
PatchModelAddDownscale patch
PerpNegGuider get_guider
PerturbedAttentionGuidance patch
PolyexponentialScheduler get_sigmas
PorterDuffImageComposite composite
RandomNoise get_noise
RebatchImages rebatch
RebatchLatents rebatch
RepeatImageBatch repeat
SDTurboScheduler get_sigmas
SD_4XUpscale_Conditioning encode
SV3D_Conditioning encode
SamplerCustom sample
SamplerCustomAdvanced sample
SamplerDPMAdaptative get_sampler
SamplerDPMPP_2M_SDE get_sampler
SamplerDPMPP_3M_SDE get_sampler
SamplerDPMPP_SDE get_sampler
SamplerEulerAncestral get_sampler
SamplerEulerCFGpp get_sampler
SamplerLCMUpscale get_sampler
SamplerLMS get_sampler
SaveAnimatedPNG save_images
SaveAnimatedWEBP save_images
SelfAttentionGuidance patch
SetUnionControlNetType set_controlnet_type
SolidMask solid
SplitImageWithAlpha split_image_with_alpha
SplitSigmas get_sigmas
SplitSigmasDenoise get_sigmas
StableZero123_Conditioning encode
StableZero123_Conditioning_Batched encode
ThresholdMask image_to_mask
TomePatchModel patch
TripleCLIPLoader load_clip
UpscaleModelLoader load_model
VPScheduler get_sigmas
"""
ALIASES: Mapping[str, str] = {
    "Blend": "ImageBlend",
    "Blur": "ImageBlur",
    "Quantize": "ImageQuantize",
    "Sharpen": "ImageSharpen",
    "ImageRebatch": "RebatchImages",
    "LatentRebatch": "RebatchLatents",
}
"""Classes that have another name in their module than in prompts."""

Method = tuple[str, tuple[str, ...]]
"""A method's name, and the order of its arguments where it is not that of the inputs."""


@cache
def v1_methods() -> Mapping[str, Method]:
    """The method that runs each class of the V1 dialect."""
    return _read(_METHODS)


@cache
def old_methods() -> Mapping[str, Method]:
    """The former methods of classes that are of the V3 dialect now; plugins still call them."""
    return _read(_OLD_METHODS)


def _read(text: str) -> Mapping[str, Method]:
    lines = [line.split() for line in text.strip().splitlines()]
    return {name: (method, tuple(order)) for name, method, *order in lines}
