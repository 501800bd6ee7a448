"""The control networks of Stable Diffusion 3 and 3.5, in the original names of its blocks.

Those by InstantX and Alimama are joint blocks of text and picture. Those of Stability AI for SD3.5
large (github.com/Stability-AI/sd3.5) see the picture alone, after the model's own embedding of the
latent and its positions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.control.transformer import Outputs
from engine.families.sd3.network import (
    TIME_CHANNELS,
    Embedder,
    JointBlock,
    MMDiTConfig,
    Patches,
    Stream,
    middle,
)
from engine.nets.attention import attend
from engine.nets.layers import Linear, timestep_embedding
from engine.nets.transformer_layers import gated, modulated

Checkpoint = Callable[[], None]


@dataclass(frozen=True, slots=True)
class SD3ControlConfig:
    """Sizes, from tensor shapes.

    Attributes:
        net: those that it has in common with a model; its depth is its own.
        hint_channels: of the encoded picture, with a mask if it takes one.
        mask: whether a mask follows the encoded picture.
        picture_kind: of Stability AI's: 0 blurred, 1 edges, 2 depth.
    """

    net: MMDiTConfig
    hint_channels: int
    mask: bool = False
    picture_kind: int = 0

    @property
    def channels(self) -> int:
        """Of a token inside."""
        return self.net.width

    @property
    def inner(self) -> int:
        """Channels inside a feed-forward."""
        return self.net.feed_forward

    @property
    def outputs(self) -> int:
        """The number of its residuals."""
        return self.net.depth


class SD3Control(nn.Module):
    """What both kinds share: embedders, and a projection for each block.

    Attributes:
        blocks: the class of a block, which is made from the sizes.
    """

    def __init__(self, config: SD3ControlConfig) -> None:
        super().__init__()
        net = config.net
        self.pos_embed = nn.Parameter(torch.empty(1, net.positions**2, net.width))
        self.x_embedder = Patches(net.channels, net.width)
        self.t_embedder = Embedder(TIME_CHANNELS, net.width)
        self.y_embedder = Embedder(net.vector, net.width)
        self.pos_embed_input = Patches(config.hint_channels, net.width)
        self.controlnet_blocks = Outputs(Linear(net.width, net.width) for _ in range(net.depth))

    def picture(self, picture: Tensor) -> Tensor:
        """The tokens [B, N, D] of an encoded picture [B, C, h, w]."""
        return self.pos_embed_input(picture)

    def begun(
        self, x: Tensor, timestep: Tensor, vector: Tensor, picture: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The tokens [B, N, D] before the first block, and the modulating vector [B, D].

        Args:
            x: [B, 16, h, w], the noisy latent.
            timestep: [B], 0 to 1000.
            vector: [B, vector], the pooled text.
            picture: [1 or B, N, D], see `picture`.
        """
        image = self.x_embedder(x) + middle(self.pos_embed, *x.shape[-2:]) + picture
        time = self.t_embedder(timestep_embedding(timestep, TIME_CHANNELS).to(x.dtype))
        return image, time + self.y_embedder(vector)


class JointControl(SD3Control):
    """Joint blocks of text and picture."""

    def __init__(self, config: SD3ControlConfig) -> None:
        super().__init__(config)
        net = config.net
        self.context_embedder = Linear(net.context, net.width)
        self.joint_blocks = nn.ModuleList(
            JointBlock(net, twice=place in net.attend_twice, last=False)
            for place in range(net.depth)
        )

    def forward(
        self,
        x: Tensor,
        timestep: Tensor,
        context: Tensor,
        vector: Tensor,
        picture: Tensor,
        *,
        checkpoint: Checkpoint,
    ) -> list[Tensor]:
        """The residuals [B, N, D]; `context` [B, T, context], others as in `begun`."""
        image, vec = self.begun(x, timestep, vector, picture)
        text = self.context_embedder(context)
        results: list[Tensor] = []
        for block in self.joint_blocks:
            checkpoint()
            text, image = block(text, image, vec)
            results.append(image)
        return self.controlnet_blocks.of(results)


class PictureBlock(Stream):
    """A block of the picture alone."""

    def __init__(self, config: MMDiTConfig) -> None:
        super().__init__(config)
        self.heads = config.width // config.head

    def forward(self, image: Tensor, vec: Tensor) -> Tensor:
        """Image [B, N, D] and vec [B, D] -> image."""
        changes = self.changes(vec)
        query, key, value = self.attn.projected(modulated(image, *changes[:2]))
        seen = self.attn.out(attend(query, key, value, self.heads))
        return self.fed_forward(gated(image, seen, changes[2]), changes)


class PictureControl(SD3Control):
    """Blocks of the picture alone. `x_embedder` and `pos_embed` are the model's."""

    def __init__(self, config: SD3ControlConfig) -> None:
        super().__init__(config)
        self.transformer_blocks = nn.ModuleList(
            PictureBlock(config.net) for _ in range(config.net.depth)
        )

    def forward(
        self,
        x: Tensor,
        timestep: Tensor,
        vector: Tensor,
        picture: Tensor,
        *,
        checkpoint: Checkpoint,
    ) -> list[Tensor]:
        """The residuals [B, N, D], see `begun`."""
        image, vec = self.begun(x, timestep, vector, picture)
        results: list[Tensor] = []
        for block in self.transformer_blocks:
            checkpoint()
            image = block(image, vec)
            results.append(image)
        return self.controlnet_blocks.of(results)
