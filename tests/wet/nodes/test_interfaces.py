"""Built-in nodes have the incumbent's names, sockets, defaults, bounds and choices."""

import json
from typing import Any

import msgspec
import pytest

from engine.graph.dynamic import DYNAMIC_COMBO, read_inputs
from engine.graph.object_info import object_info
from engine.graph.schema import InputSchema, NodeSchema
from nodes import builtin_registry
from nodes.text_loaders import ONE, TWO

LISTED_FOLDER = "<folder listing>"
NO_CHOICES = "<empty>"
COMPARED_OPTIONS = {
    "default",
    "min",
    "max",
    "step",
    "round",
    "display",
    "display_name",
    "multiline",
    "dynamicPrompts",
    "control_after_generate",
    "image_upload",
    "video_upload",
    "image_folder",
    "remote",
    "template",
}
LOADERS = """
    CheckpointLoaderSimple VAELoader UNETLoader CLIPLoader DualCLIPLoader TripleCLIPLoader
    QuadrupleCLIPLoader
    UpscaleModelLoader ControlNetLoader DiffControlNetLoader
"""
CONTROL = """
    ControlNetApply ControlNetApplyAdvanced InpaintModelConditioning InstructPixToPixConditioning
    SD_4XUpscale_Conditioning
"""
TEXT = """
    CLIPTextEncode CLIPSetLastLayer CLIPTextEncodeSDXL CLIPTextEncodeSDXLRefiner CLIPTextEncodeFlux
    CLIPTextEncodeSD3 CLIPTextEncodeLumina2 T5TokenizerOptions TextEncodeQwenImageEdit
    TextEncodeQwenImageEditPlus
"""
CONDITIONING = """
    ConditioningCombine ConditioningConcat ConditioningAverage ConditioningSetArea
    ConditioningSetAreaPercentage ConditioningSetAreaStrength ConditioningSetMask
    ConditioningSetTimestepRange ConditioningZeroOut
"""
SAMPLING = """
    ModelSamplingDiscrete ModelSamplingContinuousEDM ModelSamplingContinuousV RescaleCFG
    KSampler KSamplerAdvanced SamplerCustom SamplerCustomAdvanced
    APG BasicGuider CFGGuider DualCFGGuider DisableNoise RandomNoise KSamplerSelect
    SamplerDPMAdaptative SamplerDPMPP_2M_SDE SamplerDPMPP_2S_Ancestral SamplerDPMPP_3M_SDE
    SamplerDPMPP_SDE SamplerER_SDE SamplerEulerAncestral SamplerEulerAncestralCFGPP
    SamplerLCMUpscale SamplerLMS SamplerSASolver SamplerSEEDS2 AlignYourStepsScheduler
    BasicScheduler BetaSamplingScheduler ExponentialScheduler GITSScheduler KarrasScheduler
    LaplaceScheduler PolyexponentialScheduler SDTurboScheduler VPScheduler ExtendIntermediateSigmas
    FlipSigmas SamplingPercentToSigma SetFirstSigma SplitSigmas SplitSigmasDenoise
"""
LATENT = """
    EmptyLatentImage VAEDecode VAEEncode VAEDecodeTiled VAEEncodeTiled VAEEncodeForInpaint
    SetLatentNoiseMask BatchLatentsNode LatentComposite LatentCompositeMasked LatentUpscale
    LatentUpscaleBy LatentCrop LatentFlip LatentRotate LatentBatch LatentFromBatch RebatchLatents
    RepeatLatentBatch LatentAdd LatentBatchSeedBehavior LatentConcat LatentCut LatentCutToBatch
    LatentInterpolate LatentMultiply LatentSubtract LatentApplyOperation LatentApplyOperationCFG
    LatentOperationSharpen LatentOperationTonemapReinhard LatentBlend SaveLatent LoadLatent
"""
IMAGE = """
    BatchImagesNode EmptyImage GetImageSize ImageAddNoise ImageBatch ImageCompositeMasked
    ImageInvert ImagePadForOutpaint LoadImage LoadImageOutput PreviewImage SaveImage
    ImageFromBatch ImageRGBToYUV ImageYUVToRGB RebatchImages RepeatImageBatch ImageBlend ImageBlur
    ImageQuantize ImageSharpen Morphology ImageCrop ImageFlip ImageRotate ImageStitch
    ResizeAndPadImage ImageScale ImageScaleBy ImageScaleToMaxDimension ImageScaleToTotalPixels
    ImageUpscaleWithModel Canny
"""
MASK = """
    BatchMasksNode CropMask FeatherMask GrowMask ImageColorToMask ImageToMask InvertMask
    LoadImageMask MaskComposite MaskPreview MaskToImage SolidMask ThresholdMask JoinImageWithAlpha
    PorterDuffImageComposite SplitImageWithAlpha
"""
SMALL = """
    CustomCombo PreviewAny PrimitiveBoolean PrimitiveFloat PrimitiveInt PrimitiveString
    PrimitiveStringMultiline CaseConverter RegexExtract RegexMatch RegexReplace StringCompare
    StringConcatenate StringContains StringLength StringReplace StringSubstring StringTrim
"""
PROMISED = (
    f"{LOADERS} {CONTROL} {TEXT} {CONDITIONING} {SAMPLING} {LATENT} {IMAGE} {MASK} {SMALL}".split()
)


LISTS_OF_THAT_DAY: dict[tuple[str, str], list[str]] = {
    ("LoadImageDataSetFromFolder", "folder"): [],
    ("LoadImageTextDataSetFromFolder", "folder"): [],
    ("TrainLoraNode", "existing_lora"): ["[None]"],
}
"""Choices that are a folder's files, and the fixed choices beside them; the reference holds the
files of its time."""
NEWER: dict[str, dict[str, Any]] = {
    # The incumbent does not mark it as a list, and hands on one value that no text node takes.
    "MergeTextLists": {"outputs": [("STRING", "texts", True)]},
    "CustomCombo": {"outputs": [("STRING", "STRING", False), ("INT", "INDEX", False)]},
    "Load3D": {
        "outputs": [
            ("IMAGE", "image", False),
            ("MASK", "mask", False),
            ("STRING", "mesh_path", False),
            ("IMAGE", "normal", False),
            ("LOAD3D_CAMERA", "camera_info", False),
            ("VIDEO", "recording_video", False),
            ("FILE_3D", "model_3d", False),
        ]
    },
    "MaskPreview": {"outputs": [("MASK", "mask", False)]},
    "GetVideoComponents": {
        "outputs": [
            ("IMAGE", "images", False),
            ("AUDIO", "audio", False),
            ("FLOAT", "fps", False),
            ("INT", "bit_depth", False),
        ]
    },
    "PreviewAudio": {"outputs": [("AUDIO", "audio", False)]},
    "SaveAudio": {"outputs": [("AUDIO", "audio", False)]},
    "SaveAudioMP3": {"outputs": [("AUDIO", "audio", False)]},
    "SaveAudioOpus": {"outputs": [("AUDIO", "audio", False)]},
    "SaveVideo": {"outputs": [("VIDEO", "video", False)]},
    "PreviewAny": {"outputs": [("STRING", "STRING", False)]},
    "PreviewImage": {"outputs": [("IMAGE", "images", False)]},
    "SaveImage": {"outputs": [("IMAGE", "images", False)]},
}
"""Additions of later versions of the incumbent to these classes, for their workflows, and ours."""
NEWER_INPUTS: dict[str, list[dict[str, Any]]] = {
    "Preview3D": [
        {
            "type": "STRING,FILE_3D_GLB,FILE_3D_GLTF,FILE_3D_FBX,FILE_3D_OBJ,FILE_3D_STL,"
            "FILE_3D_USDZ,FILE_3D"
        }
    ],
    "SaveGLB": [
        {
            "type": "MESH,FILE_3D_GLB,FILE_3D_GLTF,FILE_3D_OBJ,FILE_3D_FBX,FILE_3D_STL,"
            "FILE_3D_USDZ,FILE_3D_PLY,FILE_3D_SPLAT,FILE_3D_SPZ,FILE_3D_KSPLAT,"
            "FILE_3D_SPLAT_ANY,FILE_3D_POINT_CLOUD_ANY,FILE_3D"
        },
        {"default": "3d/ComfyUI"},
    ],
    "CLIPLoader": [{}, {"choices": [*ONE]}],
    "DualCLIPLoader": [{}, {}, {"choices": [*TWO]}],
    "BatchImagesNode": [{"template": {"min": 1}}],
    "CustomCombo": [
        {},
        {
            "name": "index",
            "section": "optional",
            "type": "INT",
            "default": 0,
            "min": 0,
            "max": 10000,
        },
    ],
    "CreateVideo": [
        {},
        {},
        {},
        {
            "name": "bit_depth",
            "section": "optional",
            "type": "COMBO",
            "default": 8,
            "choices": [8, 10],
        },
    ],
    "ImageFromBatch": [{}, {"min": -4096}, {}],
    "SaveVideo": [
        {},
        {},
        {"choices": ["auto", "mp4", "webm", "mov"]},
        {"choices": ["auto", "h264", "vp9", "av1", "prores"]},
    ],
}
"""Likewise for inputs, in their order: changed options, or new inputs at the end."""


@pytest.fixture(scope="module")
def catalog() -> dict[str, NodeSchema]:
    registry = builtin_registry()
    found = dict(registry.catalog())
    assert registry.left_out == {}
    return found


@pytest.fixture(scope="module")
def incumbent(reference_folder) -> dict[str, Any]:
    path = reference_folder / "node_interfaces.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_promised_class_exists(catalog):
    assert sorted(set(PROMISED) - set(catalog)) == []


@pytest.mark.parametrize("class_type", PROMISED)
def test_a_promised_class_looks_like_the_incumbent_s(class_type, catalog, incumbent):
    assert class_type in catalog, "there is no such node yet"
    expected = newer(as_compared(incumbent[class_type]), class_type)
    assert from_schema(catalog[class_type], expected) == expected


def test_every_other_class_that_the_incumbent_has_looks_like_its_own(catalog, incumbent):
    others = (set(catalog) & set(incumbent)) - set(PROMISED)
    different = {}
    for class_type in sorted(others):
        expected = newer(as_compared(incumbent[class_type]), class_type)
        found = from_schema(catalog[class_type], expected)
        if found != expected:
            different[class_type] = {
                key: (found[key], expected[key]) for key in found if found[key] != expected[key]
            }
    assert different == {}


def test_every_node_has_a_description(catalog):
    assert [name for name, schema in catalog.items() if not schema.description] == []


def test_the_whole_catalog_is_plain_json(catalog):
    infos = {name: object_info(schema, lambda _: ["a"]) for name, schema in catalog.items()}
    assert json.loads(json.dumps(infos, allow_nan=False)) == infos


def test_the_catalog_survives_being_kept_in_a_file(catalog):
    kept = msgspec.json.encode(catalog)
    assert msgspec.json.decode(kept, type=dict[str, NodeSchema]) == catalog


def as_compared(entry: dict[str, Any]) -> dict[str, Any]:
    """The reference's entry of a class, in the form that `from_schema` returns."""
    inputs = []
    for each in entry["inputs"]:
        kept = {key: each[key] for key in COMPARED_OPTIONS & each.keys()}
        kept |= {key: each[key] for key in ("name", "section", "type")}
        if "input" in kept.get("template", ()):
            [template] = kept["template"]["input"]
            kept["template"] = {
                "input": {template["section"]: {template["name"]: [template["type"], {}]}},
                **{key: kept["template"][key] for key in ("prefix", "min", "max")},
            }
        if "dynamic_options" in each:
            kept["dynamic"] = [
                (option["key"], [without_counts(inner) for inner in option["inputs"]])
                for option in each["dynamic_options"]
            ]
        if isinstance(each.get("options"), list):
            kept["choices"] = each["options"]
        if each.get("options") == NO_CHOICES:
            kept["choices"] = []
        if (entry["class_type"], each["name"]) in LISTS_OF_THAT_DAY:
            kept.pop("choices", None)
            if beside := LISTS_OF_THAT_DAY[entry["class_type"], each["name"]]:
                kept["choices"] = beside
            kept["lists a folder"] = True
        if each.get("options") == LISTED_FOLDER or each.get("folder_backed"):
            kept["lists a folder"] = True
        inputs.append(kept)
    return {
        "display_name": entry["display_name"] or entry["class_type"],
        "category": entry["category"],
        "inputs": inputs,
        "outputs": list(
            zip(
                entry["output_types"],
                entry["output_names"],
                map(bool, entry["output_is_list"]),
                strict=True,
            )
        ),
        "flags": {
            key: entry[key]
            for key in ("output_node", "deprecated", "experimental", "input_is_list")
        },
    }


def without_counts(described: dict[str, Any]) -> dict[str, Any]:
    """An input within a choice: what this test compares of it."""
    kept = {key: described[key] for key in COMPARED_OPTIONS & described.keys()}
    if "options" in described:
        kept["choices"] = described["options"]
    return kept | {key: described[key] for key in ("name", "section", "type")}


def newer(entry: dict[str, Any], class_type: str) -> dict[str, Any]:
    """The same, with the changes of later versions."""
    changed = entry | NEWER.get(class_type, {})
    inputs = list(entry["inputs"])
    for place, change in enumerate(NEWER_INPUTS.get(class_type, ())):
        if place == len(inputs):
            inputs.append(change)
        else:
            template = (
                {"template": inputs[place].get("template", {}) | change["template"]}
                if "template" in change
                else {}
            )
            inputs[place] = inputs[place] | change | template
    return changed | {"inputs": inputs}


def from_schema(schema: NodeSchema, expected: dict[str, Any]) -> dict[str, Any]:
    told = {each["name"]: each for each in expected["inputs"]}
    return {
        "display_name": schema.display_name,
        "category": schema.category,
        "inputs": [input_from_schema(each, told.get(each.name, {})) for each in schema.inputs],
        "outputs": [(each.type, each.name, each.is_list) for each in schema.outputs],
        "flags": {
            "output_node": schema.is_output,
            "deprecated": schema.deprecated,
            "experimental": schema.experimental,
            "input_is_list": schema.input_is_list,
        },
    }


def input_from_schema(schema: InputSchema, told: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"name": schema.name, "section": schema.section, "type": schema.type}
    found |= {key: schema.options[key] for key in COMPARED_OPTIONS & schema.options.keys()}
    if schema.type == DYNAMIC_COMBO:
        found["dynamic"] = [
            (
                option["key"],
                [input_from_schema(each, {}) for each in read_inputs(option["inputs"])],
            )
            for option in schema.options["options"]
        ]
    if schema.choices is not None:
        found["choices"] = list(schema.choices)
    # Where the reference lists choices besides files (VAELoader), it does not mention the folder.
    if schema.folder is not None and not ("choices" in told and "lists a folder" not in told):
        found["lists a folder"] = True
    return found
