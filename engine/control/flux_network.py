"""The control networks of FLUX.1: blocks of the model, in its original key layout.

After Zhang et al. 2023, "Adding Conditional Control to Text-to-Image Diffusion Models". Those of
InstantX, Shakker Labs and Alimama take an encoded picture; those of XLabs
(github.com/XLabs-AI/x-flux) take pixels, and have blocks of two streams only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.control.transformer import Outputs
from engine.families.flux.network import AXES, TIME_CHANNELS
from engine.nets import rope
from engine.nets.controlnet import STRIDES
from engine.nets.layers import Convolution, Linear
from engine.nets.stream_blocks import HEAD_CHANNELS, BlockSizes, DoubleBlock, SingleBlock
from engine.nets.transformer_layers import Embedder, TimeEmbedder, patch_grid, patches


@dataclass(frozen=True, slots=True)
class FluxControlConfig:
    """Sizes, from tensor shapes.

    Attributes:
        in_channels: of a token: a patch of the noisy latent.
        hint_channels: of a patch of the picture.
        context_channels: of the text encoder's tokens.
        vector_channels: of the pooled text.
        channels: of a token inside.
        inner: channels inside a feed-forward.
        double, single: the numbers of blocks.
        guidance: whether it is told the strength of guidance.
        modes: types of pictures that it is told, by an embedding; 0: it is told none.
        pixels: channels between the convolutions that read pixels; 0: it takes an encoded picture.
        mask: whether a mask follows the encoded picture.
        chosen: the type of the picture; None: not said.
    """

    in_channels: int
    hint_channels: int
    context_channels: int
    vector_channels: int
    channels: int
    inner: int
    double: int
    single: int
    guidance: bool
    modes: int = 0
    pixels: int = 0
    mask: bool = False
    chosen: int | None = None

    @property
    def sizes(self) -> BlockSizes:
        """The sizes of its blocks."""
        return BlockSizes(self.channels, self.channels // HEAD_CHANNELS, self.inner)

    @property
    def outputs(self) -> int:
        """The number of its residuals."""
        return self.double + self.single


class Hint(nn.Sequential):
    """Pixels to the size of the latent, by convolutions with SiLU between them."""

    def __init__(self, channels: int) -> None:
        layers: list[nn.Module] = []
        for number, stride in enumerate(STRIDES):
            layers += [nn.SiLU()] if number else []
            layers.append(Convolution(channels if number else 3, channels, 3, stride, 1))
        super().__init__(*layers)


class FluxControl(nn.Module):
    """A control network."""

    def __init__(self, config: FluxControlConfig) -> None:
        super().__init__()
        wide, sizes = config.channels, config.sizes
        self.config = config
        self.img_in = Linear(config.in_channels, wide)
        self.time_in = TimeEmbedder(TIME_CHANNELS, wide)
        self.vector_in = Embedder(config.vector_channels, wide)
        if config.guidance:
            self.guidance_in = TimeEmbedder(TIME_CHANNELS, wide)
        self.txt_in = Linear(config.context_channels, wide)
        if config.pixels:
            self.input_hint_block = Hint(config.pixels)
        self.controlnet_x_embedder = Linear(config.hint_channels, wide)
        if config.modes:
            self.controlnet_mode_embedder = nn.Embedding(config.modes, wide)
        self.double_blocks = nn.ModuleList(DoubleBlock(sizes) for _ in range(config.double))
        self.single_blocks = nn.ModuleList(SingleBlock(sizes) for _ in range(config.single))
        self.controlnet_blocks = Outputs(Linear(wide, wide) for _ in range(config.double))
        self.controlnet_single_blocks = Outputs(Linear(wide, wide) for _ in range(config.single))

    def picture(self, picture: Tensor) -> Tensor:
        """The tokens [B, N, D] of an encoded picture [B, C, h, w], or of pixels in -1..1."""
        if self.config.pixels:
            picture = self.input_hint_block(picture)
        return self.controlnet_x_embedder(patches(picture))

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        context: Tensor,
        vector: Tensor,
        guidance: Tensor | None,
        picture: Tensor,
        *,
        mode: int | None = None,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The residuals [B, N, D] of the blocks of two streams and of one.

        Args:
            x: [B, 16, h, w], the noisy latent.
            time: [B], 0..1, float32.
            context: [B, T, context_channels].
            vector: [B, vector_channels], the pooled text.
            guidance: [B]; None: none is embedded.
            picture: [1 or B, N, D], see `picture`.
            mode: the type of the picture; None: not said.
            checkpoint: called before every block.
        """
        vec = self.time_in(time, x.dtype)
        if guidance is not None and self.config.guidance:
            vec = vec + self.guidance_in(guidance, x.dtype)
        vec = vec + self.vector_in(vector)
        img, txt = self.img_in(patches(x)) + picture, self.txt_in(context)
        if mode is not None:
            number = torch.full((len(x), 1), mode, device=x.device)
            txt = torch.cat((self.controlnet_mode_embedder(number).to(txt.dtype), txt), dim=1)
        here = rope.grid(*patch_grid(*x.shape[-2:]), device=x.device)
        words = txt.shape[1]
        places = torch.cat((here.new_zeros(words, len(AXES)), here))
        table = rope.rotations(places, AXES)
        after_double: list[Tensor] = []
        for block in self.double_blocks:
            checkpoint()
            img, txt = block(img, txt, vec, table)
            after_double.append(img)
        both = torch.cat((txt, img), dim=1)
        after_single: list[Tensor] = []
        for block in self.single_blocks:
            checkpoint()
            both = block(both, vec, table)
            after_single.append(both[:, words:])
        return (
            self.controlnet_blocks.of(after_double),
            self.controlnet_single_blocks.of(after_single),
        )
