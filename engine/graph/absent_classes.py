"""Node classes of the incumbent that this version does not have, and what each belongs to.

A group also lists those of its classes that exist, which show that a part of it does.

For them the advice to install a plugin would be wrong. Plugins may bring a class of such a name:
one that the catalog holds is never asked for here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

_FAMILIES: Mapping[str, str] = {
    "the model families TRELLIS.2 and Pixal3D": """
        BakeAmbientOcclusion BakeNormalMapFromMesh BakeTextureFromVoxel
        DecimateMesh EmptyTrellis2LatentStructure
        PaintMesh Pixal3DConditioning Pixal3DMultiViewConditioning RemeshMesh
        Trellis2Conditioning Trellis2ShapeStage Trellis2TextureStage Trellis2UpsampleStage
        UnwrapMesh VaeDecodeShapeTrellis VaeDecodeStructureTrellis2 VaeDecodeTextureTrellis
    """,
    "the model family ACE-Step": """
        EmptyAceStep1.5LatentAudio EmptyAceStepLatentAudio TextEncodeAceStepAudio
        TextEncodeAceStepAudio1.5
    """,
    "the model family Boogu": "TextEncodeBooguEdit",
    "the model family Cosmos": """
        CosmosImageToVideoLatent CosmosPredict2ImageToVideoLatent ModelMergeCosmos14B
        ModelMergeCosmos7B ModelMergeCosmosPredict2_14B ModelMergeCosmosPredict2_2B
    """,
    "the model family Depth Anything 3": "DA3Inference DA3Render LoadDA3Model",
    "the model family Fibo 2": "TextEncodeFibo2",
    "the model family HiDream": "CLIPTextEncodeHiDream",
    "the model family HiDream-O1": """
        EmptyHiDreamO1LatentImage HiDreamO1PatchSeamSmoothing HiDreamO1ReferenceImages
    """,
    "the model family Hunyuan3D": """
        EmptyLatentHunyuan3Dv2 Hunyuan3Dv2Conditioning Hunyuan3Dv2ConditioningMultiView
        VAEDecodeHunyuan3D
    """,
    "the model family HunyuanDiT": "CLIPTextEncodeHunyuanDiT",
    "the model family HunyuanImage": "EmptyHunyuanImageLatent HunyuanRefinerLatent",
    "the model family HunyuanVideo": """
        EmptyHunyuanLatentVideo HunyuanImageToVideo TextEncodeHunyuanVideo_ImageToVideo
    """,
    "the model family HunyuanVideo 1.5": """
        EmptyHunyuanVideo15Latent HunyuanVideo15ImageToVideo
        HunyuanVideo15LatentUpscaleWithModel HunyuanVideo15SuperResolution
    """,
    "the model family Ideogram 4": "BuildJsonPromptIdeogram Ideogram4Scheduler",
    "the model family JoyAI-Image": "TextEncodeJoyImageEdit",
    "the model family Kandinsky 5": "CLIPTextEncodeKandinsky5 Kandinsky5ImageToVideo",
    "the model family Lotus": "LotusConditioning",
    "the model family LTX-Video": """
        LTXVAddGuide LTXVConditioning LTXVCropGuides LTXVImgToVideo LTXVImgToVideoInplace
        LTXVScheduler ModelSamplingLTXV
    """,
    "the model family LTX-2, with sound": """
        GetICLoRAParameters LTXAVTextEncoderLoader LTXVAudioVAEDecode LTXVAudioVAEEncode
        LTXVAudioVAELoader LTXVConcatAVLatent LTXVDualCFGGuider LTXVEmptyLatentAudio
        LTXVLatentUpsampler LTXVReferenceAudio LTXVSeparateAVLatent TextGenerateLTX2Prompt
    """,
    "the model family Mage-Flow": "TextEncodeMageFlowEdit",
    "the model family Ming-Image": "TextEncodeMingImageEdit",
    "the model family MiniMax H3": """
        BlockSparseAttention MiniMaxH3AddGuide MiniMaxH3FunControlNetApply
        MiniMaxH3ImageToVideo MiniMaxH3ReferenceToVideo MiniMaxH3SigmaShift
    """,
    "the model family MiniMax Music 3": "EmptyMiniMaxMusic3LatentAudio MiniMaxMusic3TextEncode",
    "the model family Mochi": "ModelMergeMochiPreview",
    "the model family MoGe": """
        LoadMoGeModel MoGeGeometryToFOV MoGeInference MoGePanoramaInference
        MoGePointMapToMesh MoGeRender
    """,
    "the model family MOSS-Image": """
        MOSSImageControl MOSSImageLayoutPrompt TextEncodeMOSSImageEdit
    """,
    "the model family PhotoMaker": "PhotoMakerEncode PhotoMakerLoader",
    "the model family PiD": "PiDConditioning",
    "the model family PixArt": "CLIPTextEncodePixArtAlpha",
    "the model family SAM 3": "SAM3_Detect SAM3_VideoTrack",
    "the model family SAM 3D Body": """
        BuildPoseFile SAM3DBody_FaceExpression SAM3DBody_Loader SAM3DBody_Predict
        SAM3DBody_Render SAM3DBody_Smooth
    """,
    "the model family SDPose": "RTDETR_detect SDPoseDrawKeypoints SDPoseKeypointExtractor",
    "the model family SeedVR2": """
        SeedVR2Conditioning SeedVR2PostProcessing SeedVR2Preprocess SeedVR2TemporalChunk
        SeedVR2TemporalMerge
    """,
    "the model family Stable Audio": "ConditioningStableAudio",
    "the model family Stable Cascade": """
        ModelSamplingStableCascade StableCascade_StageB_Conditioning StableCascade_StageC_VAEEncode
        StableCascade_SuperResolutionControlnet
    """,
    "the model family TripoSplat": """
        RenderSplat SplatToFile3D SplatToMesh TripoSplatConditioning
        TripoSplatPreprocessImage TripoSplatSamplingPreview VAEDecodeTripoSplat
    """,
    "the model family VOID": """
        VOIDInpaintConditioning VOIDSampler VOIDWarpedNoise VOIDWarpedNoiseSource
    """,
    "the model family Wan": """
        ARVideoI2V BerniniConditioning GenerateTracks ModelMergeWAN2_1 OpticalFlowLoader
        SCAIL2ColoredMask SamplerARVideo Wan22FunControlToVideo Wan22ImageToVideoLatent
        WanAnimate2Cache WanAnimate2ToVideo WanAnimateToVideo WanCameraEmbedding
        WanCameraImageToVideo WanDancerEncodeAudio
        WanDancerPadKeyframesList WanDancerVideo WanFirstLastFrameToVideo
        WanFunControlToVideo WanFunInpaintToVideo WanHuMoImageToVideo WanImageToVideo
        WanInfiniteTalkToVideo
        WanMoveConcatTrack WanMoveTrackToVideo WanMoveTracksFromCoords
        WanMoveVisualizeTracks WanPhantomSubjectToVideo WanSCAILToVideo WanSoundImageToVideo
        WanSoundImageToVideoExtend WanTrackToVideo WanVaceToVideo wanBlockSwap
    """,
    "the model family YuE 2": """
        EmptyYuE2LatentAudio SheetSage2AudioToABC YuE2GenerateABC YuE2GenerateMusic
    """,
    "audio autoencoders (Stable Audio, ACE-Step)": """
        VAEDecodeAudio VAEDecodeAudioTiled VAEEncodeAudio
    """,
    "audio encoders (wav2vec 2, Whisper)": "AudioEncoderEncode AudioEncoderLoader",
    "latent upscalers of LTX-Video and HunyuanVideo 1.5": "LatentUpscaleModelLoader",
    "LLLite control of Anima": "AnimaLLLiteApply",
    "models of background removal (BiRefNet)": "LoadBackgroundRemovalModel RemoveBackground",
    "models of frame interpolation (RIFE, FILM)": """
        FrameInterpolate FrameInterpolationModelLoader
    """,
    "compiled networks (torch.compile)": "TorchCompileModel",
    "layers of pictures (the compositor)": "AddLayer ImageCompositor LayersFromBoundingBoxes",
    "layouts in prompts of FLUX.3": "Flux3LayoutPrompt",
    "references of USO for FLUX.1": "USOStyleReference",
}
"""What is missing, as it stands in a sentence, and its classes."""
_HOSTED = """
    BeebleSwitchXImageEdit BeebleSwitchXVideoEdit BriaEraser BriaExpandImage BriaGenFill
    BriaGuidedRemoveBackground BriaImageEditNode BriaImageGenerate BriaIncreaseResolution
    BriaProductHolding BriaRemoveImageBackground BriaRemoveVideoBackground
    BriaTransparentVideoBackground BriaVideoGreenScreen BriaVideoReplaceBackground
    BriaVirtualTryOn ByteDance2DraftToFinalVideoNode ByteDance2FirstLastFrameNode
    ByteDance2ReferenceNode ByteDance2ReferenceNodeV2 ByteDance2TextToVideoNode
    ByteDanceCreateImageAsset ByteDanceCreateVideoAsset ByteDanceFirstLastFrameNode
    ByteDanceImageToVideoNode ByteDanceSeedAudio ByteDanceSeedNode
    ByteDanceSeedreamLayerSeparationNode ByteDanceSeedreamLayerSeparationNodeV2
    ByteDanceSeedreamNode ByteDanceSeedreamNodeV2 ByteDanceSeedreamNodeV3
    ByteDanceTextToVideoNode ByteDanceVideoEnhanceNode ClarityCrystalUpscaleNode
    ClarityCrystalVideoUpscaleNode ClaudeNode ElevenLabsAudioIsolation
    ElevenLabsInstantVoiceClone ElevenLabsSpeechToSpeech ElevenLabsSpeechToText
    ElevenLabsTextToDialogue ElevenLabsTextToSoundEffects ElevenLabsTextToSpeech
    ElevenLabsVoiceSelector FishAudioInstantVoiceClone FishAudioSpeechToText
    FishAudioTextToSpeech FishAudioVoiceSelector Flux2ImageNode Flux2MaxImageNode
    Flux2ProImageNode Flux3ImageNode Flux3ImageToVideoNode Flux3MaxImageToVideoNode
    Flux3MaxTextToVideoNode Flux3TextToVideoNode FluxEraseNode FluxKontextMaxImageNode
    FluxKontextProImageNode FluxProExpandNode FluxProUltraImageNode FluxVTONode
    FluxVideoEditNode FluxVideoUpscaleNode GeminiImage2Node GeminiImageNode GeminiInputFiles
    GeminiNanoBanana2 GeminiNanoBanana2V2 GeminiNode GeminiNodeV2 GeminiNodeV3 GeminiVideoOmni
    GeminiVideoOmniV2 GrokImageEditNode GrokImageEditNodeV2 GrokImageNode GrokVideoEditNode
    GrokVideoExtendNode GrokVideoNode GrokVideoReferenceNode HappyHorseImageToVideoApi
    HappyHorseReferenceVideoApi HappyHorseTextToVideoApi HappyHorseVideoEditApi
    HeyGenAvatarVideoNode HeyGenCreateAvatarNode HeyGenImageToVideoNode
    HeyGenReferenceToVideoNode HeyGenTalkingPhotoNode HeyGenTextToSpeechNode
    HeyGenVideoTranslateNode HeyGenVoiceCloneNode HeyGenVoiceTextToSpeechNode
    HiggsfieldMotionTransferNode HitPawGeneralImageEnhance HitPawVideoEnhance
    HunyuanImageEditApi HunyuanImageTextToImageApi IdeogramEditApi IdeogramPImage
    IdeogramPreciseEditApi IdeogramTextToImageApi IdeogramV3 IdeogramV4
    IdeogramVectorGenerateApi IdeogramVectorImageToSVGApi Kling4EditVideoNode
    Kling4ImageToVideoNode Kling4ReferenceToVideoNode Kling4TextToVideoNode KlingAvatarNode
    KlingDualCharacterVideoEffectNode KlingFirstLastFrameNode KlingImage2VideoNode
    KlingImageGenerationNode KlingImageToVideoWithAudio KlingMotionControl
    KlingOmniProEditVideoNode KlingOmniProFirstLastFrameNode KlingOmniProImageNode
    KlingOmniProImageToVideoNode KlingOmniProTextToVideoNode KlingOmniProVideoToVideoNode
    KlingSingleImageVideoEffectNode KlingStartEndFrameNode KlingTextToVideoWithAudio
    KlingTryOnNode KlingVideoNode Krea2ImageNode Krea2StyleReferenceNode Krea3ImageNode
    LtxApi25ImageToVideo LtxApi25TextToVideo LtxvApiImageToVideo LtxvApiTextToVideo
    LumaConceptsNode LumaImageEditNode2 LumaImageModifyNode LumaImageNode LumaImageNode2
    LumaImageToVideoNode LumaRay32ExtendVideoNode LumaRay32ImageToVideoNode
    LumaRay32TextToVideoNode LumaRay32VideoEditNode LumaReferenceNode LumaVideoNode
    MagnificImageRelightNode MagnificImageSkinEnhancerNode MagnificImageStyleTransferNode
    MagnificImageUpscalerCreativeNode MagnificImageUpscalerPreciseV2Node MeshyAnimateModelNode
    MeshyImageToModelNode MeshyImageToModelSmartTopologyNode MeshyMultiImageToModelNode
    MeshyRefineNode MeshyRigModelNode MeshyTextToModelNode MeshyTextToModelSmartTopologyNode
    MeshyTextureNode MetaMuseImageEditApi MetaMuseImageTextToImageApi
    MinimaxHailuo03ContextIRNode MinimaxHailuo03FirstLastFrameNode MinimaxHailuo03ReferenceNode
    MinimaxHailuo03RegenerateNode MinimaxHailuo03TextToVideoNode MinimaxHailuoVideoNode
    MinimaxImageToVideoNode MinimaxTextToVideoNode MireloTextToSFX MireloVideoToSFX
    MoonvalleyImg2VideoNode MoonvalleyTxt2VideoNode MoonvalleyVideo2VideoNode OpenAIChatConfig
    OpenAIChatNode OpenAIDalle2 OpenAIDalle3 OpenAIGPTImage1 OpenAIGPTImageNodeV2
    OpenAIVideoSora2 OpenRouterImageNode OpenRouterLLMNode PikaImageToVideoNode2_2
    PikaScenesV2_2 PixverseImageToVideoNode PixverseTemplateNode PixverseTextToVideoNode
    PixverseV6FusionVideoNode PixverseV6ImageToVideoNode PixverseV6TextToVideoNode
    PrunaImageToVideoNode PrunaTextToVideoNode QuiverImageToSVGNode QuiverImageToSVGNodeV2
    QuiverTextToSVGNode QuiverTextToSVGNodeV2 QwenImageEditApi QwenImageTextToImageApi
    RecraftColorRGB RecraftControls RecraftCreateStyleNode RecraftCreativeUpscaleNode
    RecraftCrispUpscaleNode RecraftRemoveBackgroundNode RecraftStyleV3DigitalIllustration
    RecraftStyleV3InfiniteStyleLibrary RecraftStyleV3LogoRaster RecraftStyleV3RealisticImage
    RecraftTextToImageNode RecraftTextToVectorNode RecraftV4CreateStyleNode
    RecraftV4TextToImageNode RecraftV4TextToVectorNode RecraftVectorizeImageNode
    ReveImageCreateNode ReveImageEditNode ReveImageRemixNode Rodin3D_Detail Rodin3D_Gen2
    Rodin3D_Gen25_Image Rodin3D_Gen25_Text Rodin3D_Regular Rodin3D_Sketch Rodin3D_Smooth
    RunwayAleph2KeyframeNode RunwayAleph2PromptImageNode RunwayAleph2VideoToVideoNode
    RunwayFirstLastFrameNode RunwayImageToVideoNodeGen3a RunwayImageToVideoNodeGen4
    RunwayTextToImageNode SoniloTextToMusic SoniloVideoToMusic StabilityAudioInpaint
    StabilityAudioToAudio StabilityStableImageSD_3_5Node StabilityStableImageUltraNode
    StabilityTextToAudio StabilityUpscaleFastNode SyncLipSyncNode SyncTalkingImageNode
    Tencent3DPartNode TencentImageToModelNode TencentModelTo3DUVNode TencentSmartTopologyNode
    TencentTextToModelNode TopazImageEnhance TopazImageEnhanceV2 TopazVideoEnhance
    TopazVideoEnhanceV2 TripoConversionNode TripoImageToModelNode TripoImageToModelNodeV2
    TripoMultiviewToModelNode TripoP1ImageToModelNode TripoP1MultiviewToModelNode
    TripoP1TextToModelNode TripoPSeriesImageToModelNode TripoPSeriesMultiviewToModelNode
    TripoPSeriesTextToModelNode TripoRetargetNode TripoRigNode TripoTextToModelNode
    TripoTextToModelNodeV2 TripoTextureNode TripoTextureNodeV2 VeedCleanAudioNode
    VeedCleanVideoAudioNode VeedFabricNode VeedLipsyncNode VeedRemoveVideoBackgroundNode
    Veo3VideoGenerationNode VeoVideoGenerationNode Vidu2ImageToVideoNode Vidu2ReferenceVideoNode
    Vidu2StartEndToVideoNode Vidu2TextToVideoNode Vidu3ImageToVideoNode Vidu3TextToVideoNode
    Vidu4ImageToVideoNode Vidu4ReferenceVideoNode ViduExtendVideoNode ViduImageToVideoNode
    ViduReferenceVideoNode ViduStartEndToVideoNode ViduTextToVideoNode Wan2ImageToVideoApi
    Wan2ReferenceVideoApi Wan2TextToVideoApi Wan2VideoEditApi Wan3ImageToVideoApi
    Wan3ReferenceToVideoApi WanImageToVideoApi WanReferenceVideoApi WanTextToImageApi
    WanTextToVideoApi WavespeedFlashVSRNode WavespeedImageUpscaleNode
"""
"""Classes that send their inputs to a company's service and return its answer."""


_OTHERS = """
    CLIPTextEncodeControlnet CLIPTextEncodePixArtAlpha CheckpointLoader
    DualModelGuider ImageOnlyCheckpointSave LTXVPreprocess Load3D ModelComputeDtype
    ModelNoiseScale Painter Preview3D Preview3DAdvanced Save3DAdvanced SaveGLB SaveSVG SaveSVGNode
    ScaleROPE TorchCompileModel VoxelToMesh VoxelToMeshBasic WebcamCapture
"""
"""Built-in classes of the incumbent that belong to none of these groups."""
_BUILT_IN = frozenset(_OTHERS.split())
_SENT_AWAY = frozenset(_HOSTED.split())
_GROUPS: Mapping[str, str] = MappingProxyType(
    {name: group for group, names in _FAMILIES.items() for name in names.split()}
)
"""The group of each class."""
_NO = "This version of Calotype has no "


def absences(
    missing: Iterable[str], catalog: Collection[str], built_in: Collection[str] = ()
) -> dict[str, str]:
    """Why classes are missing, where that is known: sentences without their periods.

    Args:
        missing: classes that do not exist.
        catalog: the classes that exist, which tell whether a part of a family does.
        built_in: classes of which the document says that no plugin brings them.
    """
    found = ((name, _absence(name, catalog, built_in)) for name in missing)
    return {name: reason for name, reason in found if reason is not None}


def _absence(class_type: str, catalog: Collection[str], built_in: Collection[str]) -> str | None:
    if class_type in _SENT_AWAY:
        return f"{class_type} calls a company's hosted service, which this version does not do"
    group = _GROUPS.get(class_type)
    if group is not None:
        some = any(each in catalog for each in _FAMILIES[group].split())
        part = ", of which only a part is here" if some else ""
        return f"{_NO}{class_type}: it belongs to {group}{part}"
    if class_type in _BUILT_IN or class_type in built_in:
        return f"{_NO}{class_type}: it is a built-in node of ComfyUI or of another version"
    return None


def advice(missing: Collection[str], known: Mapping[str, str]) -> str:
    """What to do about missing classes: the reasons known, and what helps for the others.

    Args:
        missing: the classes.
        known: what `absences` found about them.

    Returns:
        sentences without the last period.
    """
    reasons: dict[tuple[str, str], list[str]] = {}
    for name in sorted(known):
        before, _, after = known[name].partition(name)
        reasons.setdefault((before, after), []).append(name)
    said = [_several(before, names, after) for (before, after), names in reasons.items()]
    if len(known) == len(missing):
        said.append("No plugin is needed; take these nodes out to run the rest")
    elif known:
        said.append("For the others, install the plugins that bring them, or take them out")
    else:
        said.append("Install the plugins that bring them, or take these nodes out")
    return ". ".join(said)


def _several(before: str, names: list[str], after: str) -> str:
    if len(names) == 1:
        return f"{before}{names[0]}{after}"
    if before == "":
        return f"Each of {', '.join(names)}{after}"
    after = after.replace(": it belongs", ": they belong").replace(
        ": it is a built-in node", ": they are built-in nodes"
    )
    return f"{before}{', '.join(names)}{after}"
