"""Opens checkpoints: a file to a Model, a Clip and a Vae, whose weights load on first use.

Names and shapes are checked at once; tensors are read when the weights are first used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import nn

from engine.errors import NodeError, WeightsError
from engine.families.autoencoders import FoundAutoencoder, find_autoencoder
from engine.families.bridge.family import BridgedFamily
from engine.families.detect import detect, detect_autoencoder, detect_encoder, text_plan
from engine.families.family import ModelFamily, TextPlan
from engine.families.pixel_space import PixelSpaceKind
from engine.families.tiny_autoencoders import TinyAutoencoderKind, find_tiny
from engine.inference.values import Clip, Model, TextPart, Vae
from engine.residency.carriers import Wants
from engine.residency.handles import LazyWeights, MissingWeights, Weights
from engine.text.decoder import LanguageEncoder
from engine.text.decoder_keys import find_head
from engine.text.encoder import TOKENIZER_TENSORS, TextEncoder, TextStyle
from engine.text.table import ENCODERS
from engine.text.token_numbers import T5_TOKENS
from engine.weights.apply import check, without_padding
from engine.weights.open import open_weights
from engine.weights.state_dict import StateDict
from engine.weights.storage import stored_in

_LOGGER = logging.getLogger(__name__)
TAKE_CLIP = "choose a checkpoint that does, and take CLIP from there."
TAKE_VISION = "choose a checkpoint that does, or load one with Load CLIP Vision and use that one."
TAKE_VAE = "load a VAE file with Load VAE and use that one."


def load_checkpoint(path: Path, *, dtype: torch.dtype | None = None) -> tuple[Model, Clip, Vae]:
    """The three values of a single-file checkpoint. Reads names and shapes, no tensor.

    Args:
        path: a safetensors file, or a .ckpt that holds tensors only.
        dtype: to compute in; None leaves it to the residency.

    Raises:
        WeightsError: damaged, hostile or foreign, or a tensor of the denoiser, a text encoder or
            the autoencoder is missing, misshapen or unexpected. A part that is missing as a whole
            is an error when it is used.
    """
    return checkpoint_of(open_weights(path), dtype=dtype)


def checkpoint_of(
    weights: StateDict, *, dtype: torch.dtype | None = None
) -> tuple[Model, Clip, Vae]:
    """The three values of an open file; see `load_checkpoint`."""
    family, config = detect(weights)
    try:
        clip = _clip(family, weights, dtype)
        found = find_autoencoder(family.autoencoder(weights) or StateDict({}))
    except WeightsError as error:
        if weights.origin in str(error):
            raise
        raise WeightsError(f"{weights.origin}: looks like {family.name}, but {error}") from error
    return (model_of(family, config, weights, dtype=dtype), clip, vae_of(weights, found, dtype))


def model_of(
    family: ModelFamily,
    config: Any,
    weights: StateDict,
    *,
    dtype: torch.dtype | None = None,
    storage: torch.dtype | None = None,
) -> Model:
    """The denoiser of a file whose family is known; see `load_denoiser`."""
    tensors = family.denoiser(config, weights)
    if isinstance(family, BridgedFamily):
        _LOGGER.info("%s: %s", weights.origin, family.name)
    net = module_weights(
        f"{weights.origin}, denoiser",
        lambda: family.build(config),
        stored_in(tensors, storage) if storage else tensors,
        Wants(dtype=dtype, dtypes=tuple(family.dtypes(config)), packed=True),
    )
    return Model(
        family=family,
        config=config,
        net=net,
        latent=family.latent(config),
        parameterization=family.parameterization(config),
    )


def load_denoiser(
    path: Path, *, dtype: torch.dtype | None = None, storage: torch.dtype | None = None
) -> Model:
    """The denoiser in a separate file or a whole checkpoint. Raises like `load_checkpoint`.

    Args:
        path: the file.
        dtype: to compute in; None leaves it to the residency.
        storage: an 8-bit dtype that all tensors are rounded to and stored in; None:
            as in the file.
    """
    weights = open_weights(path)
    family, config = detect(weights, wanted="a diffusion model")
    return model_of(family, config, weights, dtype=dtype, storage=storage)


def remark(model: Model) -> str | None:
    """What a loader says of a model that it opened: that its network is another package's.

    None for a family of ours.
    """
    return model.family.name if isinstance(model.family, BridgedFamily) else None


def load_clip(paths: Sequence[Path], kind: str, *, dtype: torch.dtype | None = None) -> Clip:
    """Text encoders in separate files, recognised by structure, in any order.

    Args:
        paths: one file for each.
        kind: the loaders' name of the family, such as `sdxl`.
        dtype: see `load_checkpoint`.

    Raises:
        WeightsError: a file is damaged or holds something else, or the family of that kind uses
            other encoders. A single language model is loaded all the same, to write with.
    """
    return clip_of([open_weights(path) for path in paths], kind, dtype=dtype)


def clip_of(opened: Sequence[StateDict], kind: str, *, dtype: torch.dtype | None = None) -> Clip:
    """Text encoders in open files; see `load_clip`."""
    found = [(weights, *detect_encoder(weights)) for weights in opened]
    plan = _plan(kind, [(weights.origin, encoder) for weights, encoder, _ in found])
    return clip_of_plan(plan, found, dtype=dtype)


def clip_of_plan(
    plan: TextPlan,
    found: Sequence[tuple[StateDict, TextEncoder, Any]],
    *,
    dtype: torch.dtype | None = None,
) -> Clip:
    """The encoders of these files, each with its configuration, as a plan uses them."""
    parts = {
        encoder.name: _writing_part(
            weights,
            _text_part(encoder, config, encoder.tensors(weights), weights.origin, dtype),
            dtype,
        )
        for weights, encoder, config in found
    }
    if T5_TOKENS.name in plan.styles:  # which has no file
        none = StateDict({})
        config = T5_TOKENS.config(none)
        parts[T5_TOKENS.name] = _text_part(T5_TOKENS, config, none, found[0][0].origin, dtype)
    return Clip(plan, {name: parts[name] for name in plan.styles if name in parts})


def load_vae(path: Path, *, dtype: torch.dtype | None = None) -> Vae:
    """The autoencoder in a separate file or a whole checkpoint. Raises like `load_checkpoint`."""
    weights = open_weights(path)
    return vae_of(weights, detect_autoencoder(weights), dtype)


def load_tiny_vae(name: str, paths: Sequence[Path], *, dtype: torch.dtype | None = None) -> Vae:
    """The tiny autoencoder of that name, whose files these are; a decoder alone is enough.

    Raises:
        WeightsError: a file is damaged, incomplete or holds something else.
    """
    config, tensors = find_tiny(name, [open_weights(path) for path in paths])
    found = FoundAutoencoder(TinyAutoencoderKind(), config, tensors)
    return vae_of(tensors, found, dtype)


def pixel_space_vae() -> Vae:
    """The identity autoencoder, for models that work on pixels."""
    kind = PixelSpaceKind()
    weights = LazyWeights("pixel space", 0, lambda: kind.build(None))
    return Vae(kind, None, weights, kind.latent(None))


def _clip(family: ModelFamily, weights: StateDict, dtype: torch.dtype | None) -> Clip:
    parts: dict[str, TextPart] = {}
    for name in family.text.styles:
        encoder = ENCODERS[name]
        found = family.encoder(weights, name)
        if found is None:
            parts[name] = _missing_part(encoder, weights.origin)
            continue
        tensors = encoder.tensors(found)
        config = encoder.config(tensors)
        parts[name] = _text_part(encoder, config, tensors, weights.origin, dtype)
    return Clip(family.text, parts)


def missing_clip(plan: TextPlan, origin: str) -> Clip:
    """The text encoders of a plan, none of which a file holds; their use is an error."""
    return Clip(plan, {name: _missing_part(ENCODERS[name], origin) for name in plan.styles})


def _missing_part(encoder: TextEncoder, origin: str) -> TextPart:
    title = f"{origin}, text encoder {encoder.title}"
    return TextPart(encoder, None, MissingWeights(title, TAKE_CLIP))


def _plan(kind: str, files: Sequence[tuple[str, TextEncoder]]) -> TextPlan:
    """The family's plan; for a language model of no family one to write with only."""
    try:
        return text_plan(kind, files)
    except WeightsError as error:
        if len(files) != 1 or not isinstance(files[0][1], LanguageEncoder):
            raise
        reason = f"this language model can write, but encode no prompts: {error}"

    def refuse(_: object) -> NoReturn:
        raise NodeError(reason)

    return TextPlan({files[0][1].name: TextStyle()}, refuse)


def _writing_part(weights: StateDict, part: TextPart, dtype: torch.dtype | None) -> TextPart:
    """A language model with the layer of its file that scores words."""
    if not isinstance(part.encoder, LanguageEncoder):
        return part
    tensors = find_head(weights)
    shape = None if tensors is None else tensors.shape("weight")
    if tensors is None or shape is None or len(shape) != 2:
        return part
    rows, columns = shape
    build = _builder(lambda: nn.Linear(columns, rows, bias="bias" in tensors))
    title = f"{weights.origin}, output layer of {part.encoder.title}"
    return replace(part, head=module_weights(title, build, tensors, Wants(dtype=dtype)))


def _text_part(
    encoder: TextEncoder, config: Any, tensors: StateDict, origin: str, dtype: torch.dtype | None
) -> TextPart:
    title = f"{origin}, text encoder {encoder.title}"
    tensors = tensors.rename(lambda name: None if name in TOKENIZER_TENSORS else name)
    build = _builder(lambda: encoder.build(config))
    return TextPart(encoder, config, module_weights(title, build, tensors, Wants(dtype=dtype)))


def vae_of(weights: StateDict, found: FoundAutoencoder | None, dtype: torch.dtype | None) -> Vae:
    """The autoencoder found in a file; without one, its use is an error."""
    title = f"{weights.origin}, autoencoder"
    if found is None:
        kind = PixelSpaceKind()
        return Vae(kind, None, MissingWeights(title, TAKE_VAE), kind.latent(None))
    kind, config = found.kind, found.config
    wants = Wants(dtype=dtype, dtypes=tuple(kind.dtypes(config)), channels_last=True)
    autoencoder = module_weights(title, lambda: kind.build(config), found.tensors, wants)
    return Vae(kind, config, autoencoder, kind.latent(config))


def module_weights(
    name: str, build: Callable[[], nn.Module], tensors: StateDict, wants: Wants
) -> Weights:
    """A handle on a module of a file; names and shapes are checked now.

    Raises:
        WeightsError: they do not fit, or no such network can be built.
    """
    try:
        skeleton = build()
    except WeightsError as error:  # a part of this program that is not installed
        raise WeightsError(f"{name}: {error}") from error
    except RuntimeError as error:  # impossible sizes of tensors
        raise WeightsError(f"{name}: such a network cannot be built: {error}") from error
    tensors = without_padding(skeleton, tensors)
    check(skeleton, tensors, origin=name)
    return LazyWeights(
        name,
        tensors.nbytes,
        lambda: skeleton,
        sources=tensors.entries,
        wants=wants,
        forget=tensors.forget,
    )


def _builder(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    def on_meta() -> nn.Module:
        with torch.device("meta"):
            return build()

    return on_meta
