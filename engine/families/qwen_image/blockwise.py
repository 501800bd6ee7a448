"""Qwen-Image's blockwise control networks, which add to the tokens after each of its blocks.

Published by DiffSynth-Studio (github.com/modelscope/DiffSynth-Studio): an encoded picture's tokens,
and for each block two norms, of them and the model's tokens, and a feed-forward of their sum.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from engine.errors import WeightsError
from engine.families.qwen_image.network import EPSILON, picture_tokens
from engine.families.shapes import count, matrix
from engine.nets.layers import Linear
from engine.weights.state_dict import StateDict

MARK = "controlnet_blocks.0.y_rms.weight"
PICTURE = "img_in.weight"
PLAIN, MASKED = 64, 68
"""Numbers of a patch: of the encoded picture, and of a mask beside it."""


@dataclass(frozen=True, slots=True)
class BlockwiseConfig:
    """The sizes of one control network.

    Attributes:
        channels: of a token.
        blocks: their number.
        mask: whether a mask follows the encoded picture: 0 in a hole, else 1.
    """

    channels: int
    blocks: int
    mask: bool


class BlockwiseControl(nn.Module):
    """A control network."""

    def __init__(self, config: BlockwiseConfig) -> None:
        super().__init__()
        self.img_in = Linear(MASKED if config.mask else PLAIN, config.channels)
        self.controlnet_blocks = nn.ModuleList(
            BlockwiseBlock(config.channels) for _ in range(config.blocks)
        )

    def forward(self, picture: Tensor) -> Tensor:
        """An encoded picture [B, C, 1, h, w] as tokens [B, N, D]."""
        return self.img_in(picture_tokens(picture))


class BlockwiseBlock(nn.Module):
    """What is added after one of the model's blocks."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.x_rms = nn.RMSNorm(channels, eps=EPSILON)
        self.y_rms = nn.RMSNorm(channels, eps=EPSILON)
        self.input_proj = Linear(channels, channels)
        self.output_proj = Linear(channels, channels)

    def forward(self, image: Tensor, picture: Tensor) -> Tensor:
        """The model's tokens and the picture's, both [B, N, D] -> [B, N, D]."""
        inner = self.input_proj(self.x_rms(image) + self.y_rms(picture))
        return self.output_proj(functional.gelu(inner))


def blockwise_config(weights: StateDict) -> BlockwiseConfig | None:
    """The configuration of a file; None if it is no such network.

    Raises:
        WeightsError: a tensor is missing or has another shape.
    """
    if MARK not in weights:
        return None
    channels, numbers = matrix(weights, PICTURE)
    if numbers not in (PLAIN, MASKED):
        raise WeightsError(
            f"its {PICTURE} takes {numbers} numbers, expected {PLAIN} of a patch, or {MASKED} with "
            "a mask"
        )
    return BlockwiseConfig(channels, count(weights, "controlnet_blocks."), numbers == MASKED)
