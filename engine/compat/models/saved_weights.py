# pyright: basic
"""The names of a model's weights in a checkpoint, for plugins that save one themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engine.inference.saving import (
    AUTOENCODER_PREFIX,
    DENOISER_PREFIX,
    checkpoint_tensors,
    encoder_in_checkpoint,
)
from engine.weights.write import ToWrite

NETWORK = "diffusion_model."
ENCODER_PARTS = ("transformer.text_model.", "transformer.")
"""What plugins write between the name of a text encoder and the name in its module."""


def network_weights(shown_by: Any) -> dict[str, Tensor]:
    """The denoiser's weights under their names in a checkpoint.

    Args:
        shown_by: a patcher, whose patches are applied, or a model.
    """
    if shown_by.value is not None:
        value = shown_by.to_value() if hasattr(shown_by, "to_value") else shown_by.value
        tensors = checkpoint_tensors(value, None, None)
        return {name: each.values() for name, each in tensors.items()}
    patches: Mapping[str, Any] = getattr(shown_by, "patches", {})
    found: dict[str, Tensor] = {}
    for name, weight in getattr(shown_by, "model", shown_by).state_dict().items():
        if not name.startswith(NETWORK):
            continue
        changes = patches.get(name)
        changed = shown_by.calculate_weight(changes, weight.clone(), name) if changes else weight
        found[DENOISER_PREFIX + name.removeprefix(NETWORK)] = changed
    return found


def checkpoint_weights(
    model: Any,
    network: Mapping[str, Any],
    clip: Mapping[str, Any] | None,
    vae: Mapping[str, Any] | None,
    vision: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """All weights of a checkpoint by name.

    Args:
        model: decides where text encoders and an encoder of pictures have their places.
        network: see `network_weights`.
        clip: what `get_sd` of the CLIP returns.
        vae: that of the VAE.
        vision: that of the encoder of pictures.
    """
    found = dict(network)
    for name, tensor in (vae or {}).items():
        found[AUTOENCODER_PREFIX + name.removeprefix(AUTOENCODER_PREFIX)] = tensor
    found |= _text_weights(model, clip or {})
    start = getattr(model.model_config, "clip_vision_prefix", None) or ""
    return found | {f"{start}{name}": tensor for name, tensor in (vision or {}).items()}


def _text_weights(model: Any, clip: Mapping[str, Any]) -> dict[str, Any]:
    """The weights of text encoders, which plugins have as `clip_l.transformer.text_model...`."""
    left = dict(clip)
    found: dict[str, Any] = {}
    places = {} if model.value is None else model.value.family.text.places
    for encoder, place in places.items():
        own: dict[str, ToWrite] = {}
        for name in [name for name in left if name.startswith(f"{encoder}.")]:
            short = name.removeprefix(f"{encoder}.")
            for part in ENCODER_PARTS:
                if short.startswith(part):
                    own[short.removeprefix(part)] = ToWrite.of(left.pop(name))
                    break
        placed = encoder_in_checkpoint(place, own)
        found |= {name: each.values() for name, each in placed.items()}
    return found | left
