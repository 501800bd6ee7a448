"""Chroma Radiance's denoiser: Chroma's blocks on pixels, with a small network for each patch.

A patch's token becomes the weights of a network that computes the patch's pixels from their noisy
values and their places (Wang et al. 2025, "PixNerd", https://arxiv.org/abs/2507.23268).
github.com/lodestone-rock/flow; huggingface.co/lodestones/Chroma1-Radiance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.families.chroma.network import ChromaConfig, Streams
from engine.families.family import Checkpoint
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.layers import Convolution, Linear
from engine.nets.transformer_layers import RmsNorm, from_patches, patch_grid, patches

USUAL_TILE = 256
"""Patches whose pixels are computed at once, unless a user asks for others."""
TILES = "radiance_tiles"
"""The kind of a hook from the time [B] to the number of patches at once; None: the usual one."""


@dataclass(frozen=True, slots=True)
class RadianceConfig:
    """Sizes, from tensor shapes.

    Attributes:
        body: of the blocks; its channels of tokens are of no use here.
        pixel_channels: 3.
        kernel: pixels along the side of a patch as it becomes a token.
        width: channels of a pixel inside the small networks.
        ratio: channels between their projections, over `width`.
        depth: their number.
        waves: along each side, of the pixels' places.
        by_convolution: whether pixels at last see their neighbours.
        clean: whether the network predicts the clean picture instead of the velocity.
        halves: whether a token is of four times as many pixels, of which it sees one in four.
    """

    body: ChromaConfig
    pixel_channels: int
    kernel: int
    width: int
    ratio: int
    depth: int
    waves: int
    by_convolution: bool
    clean: bool = False
    halves: bool = False

    @property
    def patch(self) -> int:
        """Pixels along the side of a token."""
        return self.kernel * (2 if self.halves else 1)


class _FloatLinear(Linear):
    """A projection computed in float32, whatever the dtype of its weights."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Module's name for it
        """[..., C] -> [..., C'], float32."""
        bias = None if self.bias is None else self.bias.float()
        return functional.linear(input.float(), self.weight.float(), bias)


class PixelEmbedder(nn.Module):
    """Values of pixels, and waves at their places within the patch."""

    def __init__(self, config: RadianceConfig) -> None:
        super().__init__()
        self.waves = config.waves
        channels = config.pixel_channels + config.waves**2
        self.embedder = nn.ModuleDict({"0": _FloatLinear(channels, config.width)})

    def forward(self, pixels: Tensor) -> Tensor:
        """[N, P * P, 3] -> [N, P * P, width], computed in float32."""
        places = _waves(math.isqrt(pixels.shape[1]), self.waves, pixels.device)
        both = torch.cat((pixels.float(), places.expand(len(pixels), -1, -1)), dim=-1)
        return self.embedder["0"](both).to(pixels.dtype)


def _waves(side: int, count: int, device: torch.device) -> Tensor:
    """[side * side, count * count]: products of cosines along both sides, as in a DCT.

    Of frequencies i along a row and j along a column, over 1 + i j.
    """
    numbers = torch.arange(count, dtype=torch.float32, device=device)
    places = torch.linspace(0, 1, side, device=device)
    along = torch.cos(places[:, None] * numbers * torch.pi)
    weights = 1 / (1 + numbers[:, None] * numbers)
    # [row, column, i of the column's place, j of the row's place]
    found = along[None, :, :, None] * along[:, None, None, :] * weights
    return found.reshape(side * side, count * count)


class PixelBlock(nn.Module):
    """A gated feed-forward on pixels, whose weights a patch's token makes."""

    def __init__(self, config: RadianceConfig) -> None:
        super().__init__()
        self.width, self.inner = config.width, config.width * config.ratio
        numbers = 3 * self.width * self.inner
        self.param_generator = Linear(config.body.channels, numbers)
        self.norm = RmsNorm(config.width)

    def forward(self, pixels: Tensor, tokens: Tensor, tile: int, checkpoint: Checkpoint) -> Tensor:
        """[N, P * P, width] and [N, C] -> [N, P * P, width], `tile` patches at once."""
        found: list[Tensor] = []
        for some, of in zip(pixels.split(tile), tokens.split(tile), strict=True):
            checkpoint()
            made = self.param_generator(of).chunk(3, dim=-1)
            gate, value = (
                functional.normalize(each.unflatten(-1, (self.width, self.inner)), dim=-2)
                for each in made[:2]
            )
            back = functional.normalize(made[2].unflatten(-1, (self.inner, self.width)), dim=-2)
            normal = self.norm(some)
            found.append(some + (functional.silu(normal @ gate) * (normal @ value)) @ back)
        return torch.cat(found)


class _LastConvolution(nn.Module):
    def __init__(self, config: RadianceConfig) -> None:
        super().__init__()
        self.norm = RmsNorm(config.width)
        self.conv = Convolution(config.width, config.pixel_channels, 3, padding=1)


class _LastLinear(nn.Module):
    def __init__(self, config: RadianceConfig) -> None:
        super().__init__()
        self.norm = RmsNorm(config.width)
        self.linear = Linear(config.width, config.pixel_channels)


class Radiance(Streams):
    """The denoiser."""

    def __init__(self, config: RadianceConfig) -> None:
        super().__init__(config.body)
        self.config = config
        self.img_in_patch = Convolution(
            config.pixel_channels, config.body.channels, config.kernel, stride=config.kernel
        )
        self.nerf_image_embedder = PixelEmbedder(config)
        self.nerf_blocks = nn.ModuleList(PixelBlock(config) for _ in range(config.depth))
        if config.by_convolution:
            self.nerf_final_layer_conv = _LastConvolution(config)
        else:
            self.nerf_final_layer = _LastLinear(config)

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        context: Tensor,
        guidance: Tensor,
        *,
        mask: Tensor | None = None,
        control: Residuals | None = None,
        hooks: NetHooks | None = None,
        checkpoint: Checkpoint = lambda: None,
    ) -> Tensor:
        """The velocity [B, 3, H, W] of pixels in -1..1; see `Chroma.forward`."""
        side = self.config.patch
        short = -x.shape[-2] % side, -x.shape[-1] % side
        whole = functional.pad(x, (0, short[1], 0, short[0]), mode="circular")
        seen = functional.interpolate(whole, scale_factor=0.5) if self.config.halves else whole
        tokens, _ = self.through(
            self.img_in_patch(seen).flatten(2).transpose(1, 2),
            patch_grid(x.shape[-2], x.shape[-1], side),
            time,
            context,
            guidance,
            mask=mask,
            control=control,
            hooks=hooks,
            checkpoint=checkpoint,
        )
        found = self._pixels(whole, tokens, _tile(hooks, time) or USUAL_TILE, checkpoint)
        found = found[..., : x.shape[-2], : x.shape[-1]]
        return (x - found) / time.view(-1, 1, 1, 1).to(x.dtype) if self.config.clean else found

    def _pixels(self, x: Tensor, tokens: Tensor, tile: int, checkpoint: Checkpoint) -> Tensor:
        """What the small networks make of x [B, 3, H, W] and tokens [B, N, C]."""
        side = self.config.patch
        values = patches(x, side).flatten(0, 1).unflatten(-1, (x.shape[1], -1)).transpose(1, 2)
        pixels = self.nerf_image_embedder(values)
        for block in self.nerf_blocks:
            pixels = block(pixels, tokens.flatten(0, 1), tile, checkpoint)
        if self.config.by_convolution:
            last = self.nerf_final_layer_conv
            return last.conv(_picture(last.norm(pixels), x, side))
        last = self.nerf_final_layer
        return _picture(last.linear(last.norm(pixels)), x, side)


def _picture(pixels: Tensor, like: Tensor, side: int) -> Tensor:
    """Pixels by patch [B * N, P * P, C] as a picture [B, C, H, W]."""
    tokens = pixels.transpose(1, 2).flatten(1).unflatten(0, (len(like), -1))
    return from_patches(tokens, like.shape[-2], like.shape[-1], side)


def _tile(hooks: NetHooks | None, time: Tensor) -> int | None:
    """Patches at once that a user asked for at this time."""
    asked: tuple[Callable[[Tensor], int | None], ...] = hooks.of(TILES) if hooks else ()
    return next((found for each in asked if (found := each(time))), None)
