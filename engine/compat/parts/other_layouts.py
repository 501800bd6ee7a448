"""Conversions between layouts of files, which this engine reads without one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

SHORT = 77
"""Positions of the released encoder."""


def convert_lora(sd: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The tensors unchanged: every common layout of adapters is read as it is."""
    return sd


def convert_vae_state_dict(vae_state_dict: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The tensors unchanged: both layouts of autoencoders are read as they are."""
    return vae_state_dict


def convert_text_enc_state_dict(text_enc_dict: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The tensors unchanged: both layouts of text encoders are read as they are."""
    return text_enc_dict


def convert_text_enc_state_dict_v20(
    text_enc_dict: Mapping[str, Tensor], prefix: str = ""
) -> Mapping[str, Tensor]:
    """See `convert_text_enc_state_dict`."""
    del prefix
    return text_enc_dict


def model_options_long_clip(
    sd: Mapping[str, Tensor], tokenizer_data: dict[str, Any], model_options: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both dictionaries, with the length of prompts that a CLIP L with more positions takes."""
    name = "text_model.embeddings.position_embedding.weight"
    positions = sd.get(f"clip_l.{name}", sd.get(name))
    if positions is not None and positions.shape[0] != SHORT:
        tokenizer_data["clip_l_max_length"] = positions.shape[0]
    return tokenizer_data, model_options
