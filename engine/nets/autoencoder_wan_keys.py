"""Names of the tensors of Wan 2.1's autoencoder: the original layout, and that of diffusers."""

from __future__ import annotations

import re
from collections.abc import Callable

from engine.weights.state_dict import StateDict

MARK = "decoder.middle.0.residual.0.gamma"
DIFFUSERS_MARK = "decoder.mid_block.resnets.0.norm1.gamma"
PARTS = ("encoder.", "decoder.", "conv1.", "conv2.", "quant_conv.", "post_quant_conv.")


def tensors(weights: StateDict) -> StateDict | None:
    """The autoencoder's tensors under the original names; None without one.

    Args:
        weights: without a checkpoint's prefix.

    Raises:
        WeightsError: a tensor is empty.
    """
    if MARK not in weights and DIFFUSERS_MARK not in weights:
        return None
    found = weights.rename(lambda name: name if name.startswith(PARTS) else None).refuse_empty()
    return found.rename(_from_diffusers(found)) if DIFFUSERS_MARK in found else found


def _from_diffusers(weights: StateDict) -> Callable[[str], str]:
    """Diffusers' names to the original ones: the same layers; the decoder's in one list."""
    starts, total = dict[str, int](), 0
    for level in range(_count(weights, r"decoder\.up_blocks\.(\d{1,3})\.")):
        starts[str(level)] = total
        blocks = _count(weights, rf"decoder\.up_blocks\.{level}\.resnets\.(\d{{1,3}})\.")
        starts[f"{level}+"] = total + blocks
        has_sampler = f"decoder.up_blocks.{level}.upsamplers.0.resample.1.weight" in weights
        total += blocks + has_sampler

    def block(found: re.Match[str]) -> str:
        return f"decoder.upsamples.{starts[found[1]] + int(found[2])}."

    def sampler(found: re.Match[str]) -> str:
        return f"decoder.upsamples.{starts[f'{found[1]}+']}."

    def rename(name: str) -> str:
        name = _BLOCK.sub(block, name)
        name = _SAMPLER.sub(sampler, name)
        for pattern, original in _NAMES:
            name = pattern.sub(original, name)
        return name

    return rename


def _count(weights: StateDict, pattern: str) -> int:
    found = (re.match(pattern, name) for name in weights)
    return max((int(each[1]) + 1 for each in found if each), default=0)


_BLOCK = re.compile(r"^decoder\.up_blocks\.(\d{1,3})\.resnets\.(\d{1,3})\.")
_SAMPLER = re.compile(r"^decoder\.up_blocks\.(\d{1,3})\.upsamplers\.0\.")
_NAMES = tuple(
    (re.compile(pattern), original)
    for pattern, original in (
        (r"^quant_conv\.", "conv1."),
        (r"^post_quant_conv\.", "conv2."),
        (r"^encoder\.down_blocks\.", "encoder.downsamples."),
        (r"\.mid_block\.resnets\.0\.", ".middle.0."),
        (r"\.mid_block\.resnets\.1\.", ".middle.2."),
        (r"\.mid_block\.attentions\.0\.", ".middle.1."),
        (r"\.conv_in\.", ".conv1."),
        (r"\.norm_out\.", ".head.0."),
        (r"\.conv_out\.", ".head.2."),
        (r"(\.\d+)\.norm1\.", r"\1.residual.0."),
        (r"(\.\d+)\.conv1\.", r"\1.residual.2."),
        (r"(\.\d+)\.norm2\.", r"\1.residual.3."),
        (r"(\.\d+)\.conv2\.", r"\1.residual.6."),
        (r"\.conv_shortcut\.", ".shortcut."),
    )
)
