"""Names of KL autoencoders' tensors: the original layout, and that of diffusers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from engine.weights.state_dict import Entry, StateDict

MARK = "decoder.conv_in.weight"
DIFFUSERS_MARK = "decoder.mid_block.resnets.0.conv1.weight"
PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")


def tensors(weights: StateDict, beside: tuple[str, ...] = ()) -> StateDict | None:
    """The autoencoder's tensors, without the discriminator left from training.

    Tensors of diffusers' layout, common for separate VAE files, are renamed. None without one.

    Args:
        weights: without a checkpoint's prefix.
        beside: the beginnings of further names that belong to it.
    """
    if MARK not in weights:
        return None
    parts = (*PARTS, *beside)
    found = weights.rename(lambda name: name if name.startswith(parts) else None)
    found.refuse_empty()
    if DIFFUSERS_MARK in found:
        found = found.rename(_from_diffusers(_levels(found)))
    return replace(found, entries=_as_convolutions(found.entries))


def _levels(part: StateDict) -> int:
    """The number of levels of a decoder in diffusers' layout."""
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
    """Reshape the attention's 1 x 1 convolutions, which some files store as matrices."""
    return {
        name: _with_two_axes_more(entry) if ".attn_1." in name and len(entry.shape) == 2 else entry
        for name, entry in entries.items()
    }


def _with_two_axes_more(entry: Entry) -> Entry:
    return Entry((*entry.shape, 1, 1), entry.dtype, lambda: entry.read()[:, :, None, None])
