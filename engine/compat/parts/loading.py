"""The functions of `comfy.sd` that open files, through the engine's loaders."""

from __future__ import annotations

import enum
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.compat.boundary import plugin_boundary
from engine.compat.given_weights import given_weights
from engine.compat.install import host_module
from engine.compat.parts.clip import CLIP
from engine.compat.parts.lora import load_lora, model_lora_keys_clip, model_lora_keys_unet
from engine.compat.parts.vae import VAE
from engine.compat.parts.vision import ClipVisionModel, StyleModel
from engine.errors import WeightsError
from engine.families.detect import detect
from engine.inference.gligen import load_gligen as engine_gligen
from engine.inference.load import checkpoint_of, clip_of, model_of
from engine.inference.pipeline_folders import load_pipeline
from engine.inference.saving import checkpoint_tensors
from engine.inference.style import load_style_model as engine_style
from engine.inference.values import Model
from engine.inference.vision import image_encoder_of
from engine.weights.open import open_weights
from engine.weights.state_dict import StateDict
from engine.weights.write import write

_LOGGER = logging.getLogger(__name__)


class CLIPType(enum.Enum):
    """The kinds of sets of text encoders, by the loaders' names."""

    STABLE_DIFFUSION = 1
    STABLE_CASCADE = 2
    SD3 = 3
    STABLE_AUDIO = 4
    HUNYUAN_DIT = 5
    FLUX = 6
    MOCHI = 7
    LTXV = 8
    HUNYUAN_VIDEO = 9
    PIXART = 10
    COSMOS = 11
    LUMINA2 = 12
    WAN = 13
    HIDREAM = 14
    CHROMA = 15
    ACE = 16
    OMNIGEN2 = 17
    QWEN_IMAGE = 18
    HUNYUAN_IMAGE = 19
    HUNYUAN_VIDEO_15 = 20
    OVIS = 21
    KANDINSKY5 = 22
    KANDINSKY5_IMAGE = 23
    NEWBIE = 24
    FLUX2 = 25


class TEModel(enum.Enum):
    """The kinds of text encoders."""

    CLIP_L = 1
    CLIP_H = 2
    CLIP_G = 3
    T5_XXL = 4
    T5_XL = 5
    T5_BASE = 6
    LLAMA3_8 = 7
    T5_XXL_OLD = 8
    GEMMA_2_2B = 9
    QWEN25_3B = 10
    QWEN25_7B = 11
    BYT5_SMALL_GLYPH = 12
    GEMMA_3_4B = 13
    MISTRAL3_24B = 14
    MISTRAL3_24B_PRUNED_FLUX2 = 15
    QWEN3_4B = 16
    QWEN3_2B = 17


def _object(value: Any) -> Any:
    return plugin_boundary().to_object(value)


def _tensors(sd: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> StateDict:
    return given_weights(sd, metadata=metadata)


def _dtype(options: Mapping[str, Any] | None) -> torch.dtype | None:
    """The dtype to compute in that a plugin asks for; 8-bit ones only say how to store."""
    found = (options or {}).get("dtype")
    return found if isinstance(found, torch.dtype) and found.itemsize > 1 else None


def _storage(options: Mapping[str, Any] | None) -> torch.dtype | None:
    found = (options or {}).get("dtype")
    return found if isinstance(found, torch.dtype) and found.itemsize == 1 else None


def load_state_dict_guess_config(
    sd: Mapping[str, Tensor],
    output_vae: bool = True,
    output_clip: bool = True,
    output_clipvision: bool = False,
    embedding_directory: Any = None,
    output_model: bool = True,
    model_options: Mapping[str, Any] | None = None,
    te_model_options: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
    **_: Any,
) -> tuple[Any, Any, Any, Any]:
    """(model, clip, vae, clip vision) of a checkpoint's tensors; None for what is not asked for.

    Raises:
        WeightsError: they are of no known family.
    """
    del te_model_options
    weights = _tensors(sd, metadata)
    model, clip, vae = checkpoint_of(weights, dtype=_dtype(model_options))
    vision = _vision_of(weights) if output_clipvision else None
    made = None
    if output_clip:
        made = CLIP.of_value(clip)
        _look_in(made, embedding_directory)
    return (
        _object(model) if output_model else None,
        made,
        VAE.of_value(vae) if output_vae else None,
        vision,
    )


def _vision_of(weights: StateDict) -> ClipVisionModel | None:
    try:
        return ClipVisionModel.of_value(image_encoder_of(weights))
    except WeightsError:
        return None


def _look_in(clip: CLIP, directory: Any) -> None:
    """Tell a CLIP's tokenizers where embeddings are."""
    if directory is not None:
        for tokenizer in vars(clip.tokenizer).values():
            if hasattr(tokenizer, "embedding_directory"):
                tokenizer.embedding_directory = directory


def load_checkpoint_guess_config(
    ckpt_path: str,
    output_vae: bool = True,
    output_clip: bool = True,
    output_clipvision: bool = False,
    embedding_directory: Any = None,
    output_model: bool = True,
    model_options: Mapping[str, Any] | None = None,
    te_model_options: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> tuple[Any, Any, Any, Any]:
    """(model, clip, vae, clip vision) of a file, see `load_state_dict_guess_config`."""
    return host_module("comfy.sd").load_state_dict_guess_config(
        open_weights(Path(ckpt_path)),
        output_vae,
        output_clip,
        output_clipvision,
        embedding_directory,
        output_model,
        model_options,
        te_model_options=te_model_options,
        **kwargs,
    )


def load_checkpoint(
    config_path: Any = None,
    ckpt_path: str | None = None,
    output_vae: bool = True,
    output_clip: bool = True,
    embedding_directory: Any = None,
    state_dict: Mapping[str, Tensor] | None = None,
    config: Any = None,
) -> tuple[Any, Any, Any]:
    """(model, clip, vae) of a file or its tensors; the configuration is read from the tensors."""
    del config_path, config
    if state_dict is None and ckpt_path is None:
        raise WeightsError("load_checkpoint: neither a file nor tensors were given")
    weights = open_weights(Path(ckpt_path or "")) if state_dict is None else _tensors(state_dict)
    found = load_state_dict_guess_config(
        weights, output_vae, output_clip, embedding_directory=embedding_directory
    )
    return found[:3]


def load_diffusers(
    model_path: str,
    output_vae: bool = True,
    output_clip: bool = True,
    embedding_directory: Any = None,
    **_: Any,
) -> tuple[Any, Any, Any]:
    """(model, clip, vae) of a folder of diffusers. Raises `WeightsError`."""
    model, clip, vae = load_pipeline(Path(model_path))
    made = CLIP.of_value(clip) if output_clip else None
    if made is not None:
        _look_in(made, embedding_directory)
    return _object(model), made, VAE.of_value(vae) if output_vae else None


def load_diffusion_model_state_dict(
    sd: Mapping[str, Tensor],
    model_options: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
    **_: Any,
) -> Any:
    """The model of a denoiser's tensors. Raises `WeightsError` if they are of no known family."""
    weights = _tensors(sd, metadata)
    family, config = detect(weights, wanted="a diffusion model")
    value: Model = model_of(
        family, config, weights, dtype=_dtype(model_options), storage=_storage(model_options)
    )
    return _object(value)


def load_diffusion_model(
    unet_path: str, model_options: Mapping[str, Any] | None = None, **kwargs: Any
) -> Any:
    """The model of a denoiser's file. Raises `WeightsError`."""
    return load_diffusion_model_state_dict(open_weights(Path(unet_path)), model_options, **kwargs)


def load_unet(unet_path: str, dtype: torch.dtype | None = None) -> Any:
    """See `load_diffusion_model`."""
    return load_diffusion_model(unet_path, {"dtype": dtype})


def load_unet_state_dict(sd: Mapping[str, Tensor], dtype: torch.dtype | None = None) -> Any:
    """See `load_diffusion_model_state_dict`."""
    return load_diffusion_model_state_dict(sd, {"dtype": dtype})


def load_clip(
    ckpt_paths: Sequence[str],
    embedding_directory: Any = None,
    clip_type: CLIPType = CLIPType.STABLE_DIFFUSION,
    model_options: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> CLIP:
    """The text encoders of files. Raises `WeightsError`."""
    opened = [open_weights(Path(path)) for path in ckpt_paths]
    return load_text_encoder_state_dicts(
        opened, embedding_directory, clip_type, model_options, **kwargs
    )


def load_text_encoder_state_dicts(
    state_dicts: Sequence[Mapping[str, Tensor]] = (),
    embedding_directory: Any = None,
    clip_type: CLIPType = CLIPType.STABLE_DIFFUSION,
    model_options: Mapping[str, Any] | None = None,
    **_: Any,
) -> CLIP:
    """The text encoders of files' tensors, recognised by structure, in any order.

    Raises:
        WeightsError: they are not those of a family of that type.
    """
    opened = [_tensors(sd) for sd in state_dicts]
    names = [clip_type.name.lower()]
    if clip_type is CLIPType.STABLE_DIFFUSION and len(opened) == 2:
        names = ["sdxl"]  # as the loader of two files says it
    value = clip_of(opened, names[0], dtype=_dtype(model_options))
    made = CLIP.of_value(value)
    _look_in(made, embedding_directory)
    return made


def load_lora_for_models(
    model: Any, clip: Any, lora: Mapping[str, Tensor], strength_model: float, strength_clip: float
) -> tuple[Any, Any]:
    """Copies of a model and a CLIP (either may be None) with an adapter's tensors applied."""
    key_map: dict[str, Any] = {}
    if model is not None:
        key_map = model_lora_keys_unet(model.model, key_map)
    if clip is not None:
        key_map = model_lora_keys_clip(clip.cond_stage_model, key_map)
    loaded = load_lora(lora, key_map)
    new_model = None if model is None else model.clone()
    new_clip = None if clip is None else clip.clone()
    used: set[Any] = set()
    for patched, strength in ((new_model, strength_model), (new_clip, strength_clip)):
        if patched is not None:
            used |= set(patched.add_patches(loaded, strength))
    missing = [key for key in loaded if key not in used]
    if missing:
        _LOGGER.warning("%d changes of an adapter match nothing: %s", len(missing), missing[0])
    return new_model, new_clip


def load_bypass_lora_for_models(
    model: Any, clip: Any, lora: Mapping[str, Tensor], strength_model: float, strength_clip: float
) -> tuple[Any, Any]:
    """The same: an adapter beside the weights has the same result as one in them."""
    return load_lora_for_models(model, clip, lora, strength_model, strength_clip)


def load_style_model(ckpt_path: str) -> StyleModel:
    """The style adapter of a file. Raises `WeightsError`."""
    return StyleModel.of_value(engine_style(Path(ckpt_path)))


def load_gligen(ckpt_path: str) -> Any:
    """The GLIGEN networks of a file. Raises `WeightsError`."""
    return _object(engine_gligen(Path(ckpt_path)))


def save_checkpoint(
    output_path: str,
    model: Any,
    clip: Any = None,
    vae: Any = None,
    clip_vision: Any = None,
    metadata: Mapping[str, str] | None = None,
    extra_keys: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a checkpoint in the original layout, with all patches applied.

    Raises:
        NodeError: a part is missing.
    """
    del clip_vision
    value: Model = model.to_value()
    tensors = checkpoint_tensors(
        value,
        None if clip is None else clip.to_value(),
        None if vae is None else vae.to_value(),
    )
    write_extra(tensors, extra_keys)
    marks = {**value.family.metadata(value.config), **(metadata or {})}
    with Path(output_path).open("wb") as stream:
        write(stream, tensors, marks)


def write_extra(tensors: dict[str, Any], extra: Mapping[str, Tensor] | None) -> None:
    """Add a plugin's tensors to those to write."""
    from engine.weights.write import ToWrite  # noqa: PLC0415

    tensors.update({name: ToWrite.of(each.cpu()) for name, each in (extra or {}).items()})


def t5xxl_detect(state_dict: Mapping[str, Tensor], prefix: str = "") -> dict[str, Any]:
    """The dtype of a T5 encoder's tensors, as `dtype_t5`; empty if there is none."""
    name = f"{prefix}encoder.final_layer_norm.weight"
    return {"dtype_t5": state_dict[name].dtype} if name in state_dict else {}
