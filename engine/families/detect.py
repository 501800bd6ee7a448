"""Detects the family of a file from its keys, by calling `detect` of each family.

A file that no family supports is named in the error as far as its keys identify it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from engine.errors import WeightsError
from engine.families.anima.family import AnimaFamily
from engine.families.auraflow.family import AuraFlowFamily
from engine.families.autoencoders import FoundAutoencoder, find_autoencoder
from engine.families.bridge.ernie import ErnieImageFamily
from engine.families.bridge.flux3 import Flux3Family
from engine.families.bridge.hidream import HiDreamFamily
from engine.families.bridge.ltxv import LtxVideoFamily
from engine.families.bridge.wan import WanFamily
from engine.families.chroma.family import ChromaFamily
from engine.families.chroma.radiance_family import ChromaRadianceFamily
from engine.families.family import ModelFamily, TextPlan
from engine.families.flux.family import FluxFamily
from engine.families.flux2.family import Flux2Family
from engine.families.hunyuan_video.family import HunyuanVideoFamily
from engine.families.hunyuan_video.glyphs.image import HunyuanImage21Family
from engine.families.hunyuan_video.glyphs.video import HunyuanVideo15Family
from engine.families.krea2.family import Krea2Family
from engine.families.ldm.family import LatentDiffusionOfClasses, LatentDiffusionOfText
from engine.families.qwen_image.family import QwenImageFamily
from engine.families.qwen_image21.family import QwenImage21Family
from engine.families.sd2.family import StableDiffusion2
from engine.families.sd2.unclip import StableDiffusionUnclip
from engine.families.sd3.family import StableDiffusion3
from engine.families.sd15.family import StableDiffusion1
from engine.families.sdxl.family import StableDiffusionXL, StableDiffusionXLRefiner
from engine.families.svd.family import StableVideoDiffusion
from engine.families.x4.family import StableDiffusionUpscaler
from engine.families.zero123.family import StableZero123
from engine.families.zimage.family import Lumina2, ZImage
from engine.text import table
from engine.text.encoder import TextEncoder
from engine.vision.detect import FoundImageEncoder, find_image_encoder
from engine.weights.state_dict import StateDict

FAMILIES: tuple[ModelFamily, ...] = (
    # before Stable Diffusion 1, whose UNet it has
    StableZero123(),
    StableDiffusion1(),
    StableDiffusion2(),
    StableDiffusionUnclip(),
    StableDiffusionXL(),
    StableDiffusionXLRefiner(),
    StableDiffusionUpscaler(),
    LatentDiffusionOfText(),
    LatentDiffusionOfClasses(),
    StableVideoDiffusion(),
    StableDiffusion3(),
    AuraFlowFamily(),
    FluxFamily(),
    ChromaFamily(),
    ChromaRadianceFamily(),
    AnimaFamily(),
    QwenImageFamily(),
    QwenImage21Family(),
    Krea2Family(),
    ZImage(),
    Lumina2(),
    Flux2Family(),
    HunyuanVideoFamily(),
    HunyuanVideo15Family(),
    HunyuanImage21Family(),
    # whose networks are those of diffusers
    Flux3Family(),
    WanFamily(),
    LtxVideoFamily(),
    ErnieImageFamily(),
    HiDreamFamily(),
)
SHOWN_KEYS = 5
_ENCODER = "a text encoder"
_T5 = "a text encoder of the T5 kind"
_LANGUAGE_MODEL = "a language model (such as Llama, Qwen or Gemma)"
_ADVICE: Mapping[str, str] = {
    "an autoencoder (VAE)": "load it with Load VAE",
    "a text encoder": "load it with Load CLIP or DualCLIPLoader",
    _T5: "load it with Load CLIP or DualCLIPLoader",
    _LANGUAGE_MODEL: "it may be the text encoder of a model, which Load CLIP reads",
    "a CLIP vision encoder": "load it with Load CLIP Vision",
    "a LoRA": "load it with Load LoRA",
    "a ControlNet": "load it with Load ControlNet Model",
    "a control network of Z-Image": "load it with ModelPatchLoader, from model_patches/",
    "a style model (FLUX.1 Redux)": "load it with Load Style Model, from style_models/",
    "a T2I-Adapter": "load it with Load ControlNet Model",
    "a tiny autoencoder (TAESD)": "put it into vae_approx/, under the name of its release (such as "
    "taesd_decoder), and choose that in Load VAE or for previews",
    "a textual inversion (embedding)": "put it into embeddings/ and write embedding:name "
    "in a prompt",
}
_AVERAGED = "model_ema.diffusion_model"
PREFIXES = ("model.diffusion_model.", "model.model.", "net.", "model.", "transformer.", "")
"""Prefixes under which a file may hold a denoiser."""


def detect(weights: StateDict, *, wanted: str = "a checkpoint") -> tuple[ModelFamily, Any]:
    """The family that runs these weights, and its configuration.

    Raises `WeightsError`, naming the file, if no family runs them or if they are incomplete.
    """
    for family in FAMILIES:
        try:
            config = family.detect(weights)
        except WeightsError as error:
            raise WeightsError(
                f"{weights.origin}: looks like {family.name}, but {error}"
            ) from error
        if config is not None:
            return family, config
    raise WeightsError(_not_known(weights, wanted=wanted))


def detect_autoencoder(weights: StateDict) -> FoundAutoencoder:
    """The autoencoder that a file holds. Raises `WeightsError` like `detect`."""
    try:
        found = find_autoencoder(weights)
    except WeightsError as error:
        raise WeightsError(f"{weights.origin}: {error}") from error
    if found is None:
        raise WeightsError(other_part(weights, wanted="an autoencoder (VAE)"))
    return found


def detect_encoder(weights: StateDict) -> tuple[TextEncoder, Any]:
    """The text encoder in a separate file, and its configuration.

    Raises `WeightsError` like `detect`.
    """
    try:
        found = table.recognise(weights)
    except WeightsError as error:
        raise WeightsError(f"{weights.origin}: {error}") from error
    if found is None:
        raise WeightsError(other_part(weights, wanted=_ENCODER))
    return found


def detect_image_encoder(weights: StateDict) -> FoundImageEncoder:
    """The image encoder in a separate file. Raises `WeightsError` like `detect`."""
    try:
        found = find_image_encoder(weights)
    except WeightsError as error:
        raise WeightsError(f"{weights.origin}: {error}") from error
    if found is None:
        raise WeightsError(other_part(weights, wanted="a CLIP vision encoder"))
    return found


def text_plan(asked: str, files: Sequence[tuple[str, TextEncoder]]) -> TextPlan:
    """How the outputs of these encoders become one conditioning.

    Args:
        asked: the loaders' name of the family, such as `sdxl`.
        files: the name of each file and its encoder.

    Raises:
        WeightsError: no family of that name uses them.
    """
    plans = [(family, plan) for family, plan in _plans() if asked in plan.file_types]
    names = [encoder.name for _, encoder in files]
    once = len(set(names)) == len(names)
    for _, plan in plans:
        if once and plan.fits(names):
            return plan
    found = ", ".join(f"{encoder.title} in {name}" for name, encoder in files)
    if not plans:
        known = sorted({kind for _, plan in _plans() for kind in plan.file_types})
        raise WeightsError(
            f"type {asked}: Calotype cannot run the models of that type yet (found {found}); "
            f"types that it runs: {', '.join(known)}"
        )
    wanted = " or ".join(f"{_titles(plan)} for {family.name}" for family, plan in plans)
    raise WeightsError(
        f"type {asked} takes {wanted}; found {found}. "
        "Choose other files, or the type that these belong to."
    )


def _plans() -> Iterator[tuple[ModelFamily, TextPlan]]:
    """Every way in which a family uses text encoders."""
    for family in FAMILIES:
        for plan in (family.text, *family.text.others):
            yield family, plan


def _titles(plan: TextPlan) -> str:
    """The encoders of a plan in words."""
    must = [table.ENCODERS[name].title for name in plan.styles if name not in plan.optional]
    may = [table.ENCODERS[name].title for name in plan.styles if name in plan.optional]
    if not must:
        return f"{', '.join(may)} or some of them"
    return " and ".join(must) + (f" (and {', '.join(may)} if you have them)" if may else "")


def other_part(weights: StateDict, *, wanted: str) -> str:
    """A sentence that says what a file is instead, and which loader reads it."""
    for family in FAMILIES:
        try:
            if family.detect(weights) is None:
                continue
        except WeightsError:
            continue
        return (
            f"{weights.origin}: this is a model of {family.name}, not {wanted} alone; load it with "
            "Load Checkpoint or Load Diffusion Model."
        )
    return _not_known(weights, wanted=wanted)


def _not_known(weights: StateDict, *, wanted: str) -> str:
    name = recognise(weights)
    circular = wanted == _ENCODER and name in (_T5, _LANGUAGE_MODEL)
    if name and name in _ADVICE and name != wanted and not circular:
        return f"{weights.origin}: this is {name}, not {wanted}; {_ADVICE[name]}."
    if name:
        return f"{weights.origin}: this is {name}; Calotype cannot use it as {wanted} yet."
    shown = [key[:100] if key.isprintable() else ascii(key)[:100] for key in list(weights)]
    return (
        f"{weights.origin}: of no known model family; {len(weights):,} tensors, first keys: "
        f"{', '.join(shown[:SHOWN_KEYS]) or 'none'}."
    )


def recognise(weights: StateDict) -> str | None:
    """The kind of a file from characteristic keys; None if there are none."""
    for name, is_this in _MARKS:
        if is_this(weights):
            return name
    return None


Test = Callable[[StateDict], bool]


def _below(*marks: str) -> Test:
    """A test for any of these names, after any prefix of a denoiser."""
    return lambda weights: any(
        f"{prefix}{mark}" in weights for prefix in PREFIXES for mark in marks
    )


def _ends(*endings: str) -> Test:
    return lambda weights: any(key.endswith(endings) for key in weights)


def _starts(*starts: str) -> Test:
    return lambda weights: any(key.startswith(starts) for key in weights)


def _context(width: int) -> Test:
    """A test for a UNet that attends to a text of this width."""

    def test(weights: StateDict) -> bool:
        shapes = (
            weights.shape(key)
            for key in weights
            if "input_blocks." in key and key.endswith(".attn2.to_k.weight")
        )
        return (next(shapes, None) or (0, 0))[-1] == width

    return test


def _entry(channels: int) -> Test:
    """A test for a UNet whose input has so many channels."""

    def test(weights: StateDict) -> bool:
        shapes = (weights.shape(f"{prefix}input_blocks.0.0.weight") for prefix in PREFIXES)
        return any(shape is not None and shape[1:2] == (channels,) for shape in shapes)

    return test


def _averaged_alone(weights: StateDict) -> bool:
    """Whether there are only averaged weights, whose names trainers write without dots."""
    averaged = any(key.startswith(_AVERAGED) for key in weights)
    return averaged and not any(key.startswith("model.diffusion_model.") for key in weights)


def _both(*tests: Test) -> Test:
    return lambda weights: all(test(weights) for test in tests)


_LABELLED = _below("label_emb.0.0.weight")
_FLUX = _below("double_blocks.0.img_attn.norm.key_norm.scale")
_MARKS: tuple[tuple[str, Test], ...] = (
    # small files first: a LoRA repeats the names of the network it changes
    (
        "a LoRA",
        _ends(
            ".lora_up.weight",
            ".lora_down.weight",
            ".lora_A.weight",
            ".lora_B.weight",
            ".hada_w1_a",
            ".lokr_w1",
            ".lokr_w1_a",
        ),
    ),
    (
        "a checkpoint of averaged weights alone (EMA, under model_ema.), without the UNet itself",
        _averaged_alone,
    ),
    ("an IP-Adapter", _starts("ip_adapter.")),
    ("a control network of Z-Image", _starts("control_all_x_embedder.")),
    ("a style model (FLUX.1 Redux)", _starts("redux_down.")),
    ("a GLIGEN file", _starts("position_net.")),
    ("a textual inversion (embedding)", _starts("emb_params", "string_to_param")),
    (
        "a ControlNet",
        _starts("control_model.", "input_hint_block.", "controlnet_", "zero_convs."),
    ),
    (
        "a T2I-Adapter",
        _starts("body.0.in_conv.", "body.0.block1.", "body.0.body.0.", "adapter.body."),
    ),
    (
        "a tiny autoencoder (TAESD)",
        _starts("taesd_", "decoder.layers.", "3.conv.0.", "4.conv.0."),
    ),
    # denoisers, in the order in which they can be distinguished
    ("a Stable Cascade model", _below("clf.1.weight", "clip_txt_mapper.weight")),
    ("a Stable Audio model", _below("transformer.rotary_pos_emb.inv_freq")),
    ("an AuraFlow checkpoint", _below("double_layers.0.attn.w1q.weight")),
    ("a HunyuanDiT checkpoint", _below("mlp_t5.0.weight")),
    (
        "a HunyuanVideo or HunyuanImage model",
        _below("txt_in.individual_token_refiner.blocks.0.norm1.weight"),
    ),
    ("a FLUX.2 model", _both(_FLUX, _below("double_stream_modulation_img.lin.weight"))),
    (
        "a Chroma model",
        _both(
            _FLUX,
            _below(
                "distilled_guidance_layer.norms.0.scale",
                "distilled_guidance_layer.0.norms.0.scale",
            ),
        ),
    ),
    ("a FLUX.1 model", _FLUX),
    ("a Mochi model", _below("t5_yproj.weight")),
    ("an LTX-Video model", _below("adaln_single.emb.timestep_embedder.linear_1.bias")),
    ("a PixArt model", _below("t_block.1.weight")),
    ("a Wan Animate model", _below("face_adapter.fuser_blocks.0.k_norm.weight")),
    ("a Wan model that follows sound (S2V)", _below("casual_audio_encoder.weights")),
    ("a Wan model with parts that are not known here (HuMo, SCAIL ...)", _below("head.modulation")),
    ("a HiDream model", _below("caption_projection.0.linear.weight")),
    ("a Cosmos or Anima model", _below("blocks.0.mlp.layer1.weight")),
    ("a Qwen-Image model", _below("txt_norm.weight")),
    ("a Krea 2 model", _below("txtfusion.projector.weight")),
    (
        "a Kandinsky 5 model",
        _below("visual_transformer_blocks.0.cross_attention.key_norm.weight"),
    ),
    ("an SDXL refiner checkpoint", _both(_LABELLED, _context(1280))),
    ("an SDXL checkpoint", _both(_LABELLED, _context(2048))),
    ("an SD2 depth-to-image checkpoint", _entry(5)),
    ("an SD2 checkpoint", _context(1024)),
    (
        "a latent diffusion checkpoint of 2022, before Stable Diffusion",
        _starts("cond_stage_model.transformer.token_emb.", "cond_stage_model.embedding."),
    ),
    (
        "a model in the folder layout of diffusers",
        _starts("down_blocks.", "transformer_blocks.", "encoder.down_blocks.", "unet.down_blocks."),
    ),
    ("a checkpoint's UNet of an unknown kind", _below("input_blocks.0.0.weight")),
    # parts
    (
        "an autoencoder (VAE)",
        _below(
            "decoder.conv_in.weight",
            "first_stage_model.decoder.conv_in.weight",
            "vae.decoder.conv_in.weight",
        ),
    ),
    ("a CLIP vision encoder", _starts("vision_model.", "visual.", "model.visual.")),
    (_T5, _starts("encoder.block.", "shared.weight")),
    (
        _LANGUAGE_MODEL,
        _starts("model.embed_tokens.", "model.layers.", "language_model."),
    ),
    (
        "a text encoder",
        _starts("text_model.", "transformer.resblocks.", "transformer.text_model."),
    ),
)
