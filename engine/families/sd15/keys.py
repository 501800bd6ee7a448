"""Where an SD1 file keeps its parts, in every spelling that is met in the wild.

Knows names only; the sizes are family.py's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from engine.errors import WeightsError
from engine.weights.state_dict import Entry, StateDict

DENOISER_PREFIXES = ("model.diffusion_model.", "model.model.", "")
TEXT_PREFIXES = (
    "cond_stage_model.transformer.",
    "text_encoder.",
    "text_encoders.clip_l.transformer.",
)
AUTOENCODER_PREFIXES = ("first_stage_model.", "vae.", "")
DENOISER_MARK = "input_blocks.0.0.weight"
AUTOENCODER_MARK = "decoder.conv_in.weight"
DIFFUSERS_AUTOENCODER_MARK = "decoder.mid_block.resnets.0.conv1.weight"
TEXT_MARK = "embeddings.token_embedding.weight"

DENOISER_PARTS = (
    "time_embed.",
    "label_emb.",
    "input_blocks.",
    "middle_block.",
    "output_blocks.",
    "out.",
)
AUTOENCODER_PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")
TEXT_PARTS = ("embeddings.", "encoder.", "final_layer_norm.")
POSITION_IDS = "embeddings.position_ids"
"""A row of 0..76 that old files carry; the network counts by itself."""
V_PREDICTION_MARKS = ("v_pred", "model.diffusion_model.v_pred")
ZERO_SNR_MARKS = ("ztsnr", "model.diffusion_model.ztsnr")


def denoiser(weights: StateDict) -> StateDict | None:
    """The UNet's tensors. Copies under `model_ema.` and training state are left where they are."""
    return _below(weights, DENOISER_PREFIXES, DENOISER_MARK, DENOISER_PARTS)


def autoencoder(weights: StateDict) -> StateDict | None:
    """The autoencoder's tensors, without the discriminator that its training left behind.

    Files of diffusers' layout, as many a VAE comes alone, are renamed.
    """
    found = _below(weights, AUTOENCODER_PREFIXES, AUTOENCODER_MARK, AUTOENCODER_PARTS)
    if found is None:
        return None
    if DIFFUSERS_AUTOENCODER_MARK in found:
        found = found.rename(_from_diffusers(_levels(found)))
    return replace(found, entries=_as_convolutions(found.entries))


def text_encoder(weights: StateDict) -> StateDict | None:
    """The text encoder's tensors; the middle part `text_model.` is missing in old files."""
    prefixes = [f"{prefix}{inner}" for prefix in TEXT_PREFIXES for inner in ("text_model.", "")]
    found = _below(weights, prefixes, TEXT_MARK, TEXT_PARTS)
    return found.rename(lambda name: None if name == POSITION_IDS else name) if found else None


def _below(
    weights: StateDict, prefixes: list[str] | tuple[str, ...], mark: str, parts: tuple[str, ...]
) -> StateDict | None:
    """What lies below the first prefix that holds `mark`, as far as it belongs to `parts`."""
    for prefix in prefixes:
        if f"{prefix}{mark}" in weights:
            found = weights.part(prefix)
            found = found.rename(lambda name: name if name.startswith(parts) else None)
            _refuse_empty(found)
            return found
    return None


def _refuse_empty(part: StateDict) -> None:
    """A tensor without bytes could claim any size, and a network would be built to match it."""
    for name, shape in part.shapes.items():
        if 0 in shape:
            raise WeightsError(f"its tensor {name} has the shape {list(shape)}, which is empty")


def _levels(part: StateDict) -> int:
    """How many levels a decoder of diffusers' layout has."""
    levels = (name.split(".")[2] for name in part if name.startswith("decoder.up_blocks."))
    return max((int(level) + 1 for level in levels if level.isdecimal()), default=0)


def _from_diffusers(levels: int) -> Callable[[str], str]:
    """Diffusers' names to the original ones: the same layers, the decoder's levels reversed."""

    def rename(name: str) -> str:
        for pattern, original in _DIFFUSERS_NAMES:
            name = pattern.sub(original, name)
        return _UP_BLOCK.sub(lambda found: f"up.{levels - 1 - int(found[1])}.", name)

    return rename


_UP_BLOCK = re.compile(r"\bup_blocks\.(\d{1,3})\.")
_DIFFUSERS_NAMES = tuple(
    (re.compile(pattern), original)
    for pattern, original in (
        (r"\bmid_block\.resnets\.0\.", "mid.block_1."),
        (r"\bmid_block\.resnets\.1\.", "mid.block_2."),
        (r"\bmid_block\.attentions\.0\.", "mid.attn_1."),
        (r"\bgroup_norm\.", "norm."),
        (r"\b(?:to_q|query)\.", "q."),
        (r"\b(?:to_k|key)\.", "k."),
        (r"\b(?:to_v|value)\.", "v."),
        (r"\b(?:to_out\.0|proj_attn)\.", "proj_out."),
        (r"\bdown_blocks\.", "down."),
        (r"\bresnets\.", "block."),
        (r"\bconv_shortcut\.", "nin_shortcut."),
        (r"\bdownsamplers\.0\.", "downsample."),
        (r"\bupsamplers\.0\.", "upsample."),
        (r"\bconv_norm_out\.", "norm_out."),
    )
)


def _as_convolutions(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Some files store the attention's 1 x 1 convolutions as matrices."""
    return {
        name: _with_two_axes_more(entry) if ".attn_1." in name and len(entry.shape) == 2 else entry
        for name, entry in entries.items()
    }


def _with_two_axes_more(entry: Entry) -> Entry:
    return Entry((*entry.shape, 1, 1), entry.dtype, lambda: entry.read()[:, :, None, None])
