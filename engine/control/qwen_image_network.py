"""The control networks of Qwen-Image: its blocks, and the tokens of an encoded picture.

After Zhang et al. 2023, "Adding Conditional Control to Text-to-Image Diffusion Models". Names of
tensors are those of the model, and of diffusers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.control.transformer import Outputs
from engine.families.qwen_image.network import (
    EPSILON,
    Block,
    QwenImageConfig,
    TimeEmbedder,
    Vectors,
    picture_positions,
    picture_tokens,
    word_positions,
)
from engine.families.reference_latents import Place
from engine.nets import rope
from engine.nets.layers import Linear


@dataclass(frozen=True, slots=True)
class QwenImageControlConfig:
    """Sizes, from tensor shapes.

    Attributes:
        net: those that it has in common with a model; its number of blocks is its own.
        hint_channels: of a patch of the picture.
        mask: whether a mask follows the encoded picture.
    """

    net: QwenImageConfig
    hint_channels: int
    mask: bool = False

    @property
    def channels(self) -> int:
        """Of a token inside."""
        return self.net.channels

    @property
    def inner(self) -> int:
        """Channels inside a feed-forward."""
        return self.net.inner

    @property
    def outputs(self) -> int:
        """The number of its residuals."""
        return self.net.blocks


class QwenImageControl(nn.Module):
    """A control network."""

    def __init__(self, config: QwenImageControlConfig) -> None:
        super().__init__()
        net, wide = config.net, config.net.channels
        self.axes = net.axes
        self.time_text_embed = TimeEmbedder(net)
        self.txt_norm = nn.RMSNorm(net.context_channels, eps=EPSILON)
        self.img_in = Linear(net.in_channels, wide)
        self.txt_in = Linear(net.context_channels, wide)
        self.controlnet_x_embedder = Linear(config.hint_channels, wide)
        self.transformer_blocks = nn.ModuleList(Block(net) for _ in range(net.blocks))
        self.controlnet_blocks = Outputs(Linear(wide, wide) for _ in range(net.blocks))

    def picture(self, picture: Tensor) -> Tensor:
        """The tokens [B, N, D] of an encoded picture [B, C, 1, h, w]."""
        return self.controlnet_x_embedder(picture_tokens(picture))

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        context: Tensor,
        mask: Tensor | None,
        picture: Tensor,
        *,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> list[Tensor]:
        """The residuals [B, N, D].

        Args:
            x: [B, 16, 1, h, w], the noisy latent.
            time: [B], 0..1, float32.
            context: [B, T, context_channels].
            mask: [B, T], true where a token counts; None if all do.
            picture: [1 or B, N, D], see `picture`.
            checkpoint: called before every block.
        """
        img = self.img_in(picture_tokens(x)) + picture
        txt = self.txt_in(self.txt_norm(context))
        places = (word_positions(txt.shape[1], x, 0), picture_positions(x, Place(0, 0, 0)))
        table = rope.rotations(torch.cat(places), self.axes)
        vec = Vectors(self.time_text_embed(time, x.dtype))
        if mask is not None:
            mask = torch.cat((mask, mask.new_ones(1, 1).expand(len(img), img.shape[1])), dim=1)
        results: list[Tensor] = []
        for block in self.transformer_blocks:
            checkpoint()
            img, txt = block(img, txt, vec, table, mask)
            results.append(img)
        return self.controlnet_blocks.of(results)
