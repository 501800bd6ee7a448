"""Applies adapters (LoRA and similar) to models.

Nothing is copied: the changes are patches on handles.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakKeyDictionary, WeakValueDictionary

import torch
from torch import Tensor

from engine.adapters.change import AdapterPatch
from engine.adapters.explain import complaints
from engine.adapters.match import Match, match
from engine.adapters.names import DENOISER, TEXT_WRAPPERS, Target
from engine.adapters.parts import Shape
from engine.adapters.read import Adapter, file_state, open_adapter
from engine.inference.values import Clip, Model, TextPart
from engine.residency.handles import PatchedWeights, Weights
from engine.residency.sources import Source, TensorSource

_CLIP = "clip_"
"""What the names of CLIP's text encoders begin with."""


class _Remembered:
    """Caches whose entries live as long as the objects they describe.

    Attributes:
        adapters: adapters by the state of their files.
        targets: module names of a network, by its weights without patches.
    """

    def __init__(self) -> None:
        self.adapters: WeakValueDictionary[Hashable, Adapter] = WeakValueDictionary()
        self.targets: WeakKeyDictionary[Weights, Target] = WeakKeyDictionary()


_remembered = _Remembered()


def adapter_file(path: Path) -> Adapter:
    """The adapter in a file, cached as long as it is referenced.

    Raises:
        WeightsError: the file is damaged, hostile or not an adapter.
    """
    state = file_state(path)
    found = _remembered.adapters.get(state)
    if found is None:
        found = _remembered.adapters[state] = open_adapter(path)
    return found


def said(adapter: Adapter, matched: Match, model: Model | None) -> list[str]:
    """Sentences about parts of an adapter that had no effect; they are also logged."""
    family = model.family.name if model else "text encoder"
    found = complaints(adapter, matched, family)
    for sentence in found:
        logging.getLogger(__name__).warning("%s", sentence)
    return found


def matched_with(adapter: Adapter, model: Model | None, clip: Clip | None) -> Match:
    """Which tensors of a model and its text encoders an adapter changes."""
    targets: dict[str, Target] = {}
    if model:
        targets[DENOISER] = denoiser_target(model)
    if clip:
        present = {name: part for name, part in clip.parts.items() if not part.weights.is_missing}
        targets |= {name: _encoder(part) for name, part in present.items()}
    return match(adapter, targets)


def patched_model(model: Model, matched: Match, strength: float) -> Model:
    """The model with an adapter applied at a strength."""
    patches = matched.patches(DENOISER, strength)
    return replace(model, net=PatchedWeights(model.net, patches)) if patches else model


def patched_clip(clip: Clip, matched: Match, strength: float) -> Clip:
    """The text encoders with an adapter applied at a strength."""
    parts: dict[str, TextPart] = {}
    rounds = any(not name.startswith(_CLIP) for name in clip.parts)
    for name, part in clip.parts.items():
        patches = matched.patches(name, strength)
        weights = part.weights
        if patches:
            weights = (_rounded if rounds else PatchedWeights)(weights, patches)
        parts[name] = replace(part, weights=weights)
    return replace(clip, parts=parts)


@dataclass(frozen=True, slots=True)
class _Rounded:
    """The last patch of a text encoder's tensor: rounds it to the dtype of its file.

    ComfyUI changes text encoders in place, which have that dtype where one of them is no CLIP;
    prompts then mean the same.
    """

    dtype: torch.dtype

    def apply(self, weight: Tensor) -> Tensor:
        """See `engine.residency.sources.Patch`."""
        return weight.to(self.dtype).float()


def _rounded(weights: Weights, patches: Mapping[str, tuple[AdapterPatch, ...]]) -> Weights:
    """A text encoder's weights with further patches, each tensor rounded once, at the end."""
    sources = sources_of(weights)
    all_patches = dict(weights.patches)
    for name, more in patches.items():
        before = (each for each in weights.patches.get(name, ()) if not isinstance(each, _Rounded))
        source = sources.get(name)
        is_plain = source is not None and source.parts == ((source.shape, source.dtype),)
        dtype = source.dtype if source is not None and is_plain else torch.float32
        last = (_Rounded(dtype),) if dtype in (torch.float16, torch.bfloat16) else ()
        all_patches[name] = (*before, *more, *last)
    return PatchedWeights(weights.base, all_patches)


def denoiser_target(model: Model) -> Target:
    """The modules of a model's denoiser in all namings."""
    base = model.net.base
    found = _remembered.targets.get(base)
    if found is None:
        names = model.family.lora_names(model.config)
        found = _remembered.targets[base] = Target.of(shapes_of(base), names)
    return found


def _encoder(part: TextPart) -> Target:
    base = part.weights.base
    found = _remembered.targets.get(base)
    if found is None:
        found = Target.of(shapes_of(base), {}, TEXT_WRAPPERS)
        _remembered.targets[base] = found
    return found


def shapes_of(weights: Weights) -> Mapping[str, Shape]:
    """The shapes of a module's tensors by name; nothing is read."""
    return {name: source.shape for name, source in sources_of(weights).items()}


def sources_of(weights: Weights) -> Mapping[str, Source]:
    """The sources of a module's tensors by name, without patches."""
    if weights.sources:
        return weights.sources
    return {name: TensorSource(each) for name, each in weights.module.named_parameters()}
