"""Replacements of self-attention in a UNet: without attention, or recording its map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engine.errors import NodeError
from engine.nets.hooks import NetHooks
from engine.nets.unet import UNetConfig
from engine.nets.unet_blocks import TransformerConfig

MIDDLE = ("middle", 0)


def middle_transformers(config: UNetConfig) -> int:
    """The number of transformers in the middle block: none in SSD-1B's and Vega's."""
    return sum(layer.depth for layer in config.middle_block if isinstance(layer, TransformerConfig))


def each_sees_itself(query: Tensor, key: Tensor, value: Tensor, options: object) -> Tensor:
    """Self-attention whose map is the identity: the values themselves."""
    del query, key, options
    return value


def without_middle_attention(hooks: NetHooks, transformers: int) -> NetHooks:
    """Hooks with the identity as every self-attention map of the middle block."""
    for number in range(transformers):
        hooks = hooks.with_replacement("attn1", (*MIDDLE, number), each_sees_itself)
    return hooks


class AttentionRecorder:
    """A replacement of self-attention that records its map for the negative conditioning.

    Attributes:
        received: [B, N], how much attention each token gets from all others, averaged over heads;
            1 on average. None until a negative entry that covers all of x is evaluated.
    """

    def __init__(self, size: tuple[int, ...]) -> None:
        """`size`: of x behind its channels."""
        self._size = size
        self.received: Tensor | None = None

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, options: Mapping[str, Any]
    ) -> Tensor:
        """Attend as usual, see `engine.nets.hooks.NetHooks`.

        Raises:
            NodeError: another patch has cut the tokens of each row into several.
        """
        if len(query) != options["original_shape"][0]:
            raise NodeError(
                "self-attention guidance reads the attention of the whole picture in the middle "
                "block, where another patch, such as HyperTile, has cut it into tiles: lower "
                "HyperTile's max_depth, or bypass one of the two"
            )
        heads = options["n_heads"]
        split = [each.unflatten(-1, (heads, -1)).transpose(1, 2) for each in (query, key, value)]
        scale = split[0].shape[-1] ** -0.5
        weights = (split[0].float() @ split[1].float().transpose(-1, -2) * scale).softmax(dim=-1)
        unwanted = options["cond_or_uncond"]
        if 1 in unwanted and tuple(options["original_shape"][2:]) == self._size:
            rows = len(query) // len(unwanted)
            start = unwanted.index(1) * rows
            self.received = weights[start : start + rows].mean(dim=1).sum(dim=1)
        return (weights.to(value.dtype) @ split[2]).transpose(1, 2).flatten(2)
