"""Layers over the frames of a video, between the layers of networks for pictures.

Blattmann et al. 2023, "Stable Video Diffusion", appendix D; "Align your Latents", section 3.1. Rows
of a batch are frames; each video has `frames` rows that follow one another.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.nets.attention import CrossAttention, FeedForward
from engine.nets.layers import Linear, timestep_embedding

GROUPS = 32


def as_videos(x: Tensor, frames: int) -> Tensor:
    """Rows [N, C, ...] as [videos, C, frames, ...]."""
    return x.unflatten(0, (-1, frames)).transpose(1, 2)


def as_rows(videos: Tensor) -> Tensor:
    """The inverse of `as_videos`."""
    return videos.transpose(1, 2).flatten(0, 1)


class Mixer(nn.Module):
    """A learned mean of what a layer makes of single pictures and of videos."""

    def __init__(self) -> None:
        super().__init__()
        self.mix_factor = nn.Parameter(torch.empty(1))

    def forward(self, pictures: Tensor, videos: Tensor) -> Tensor:
        """Both of one shape; sigmoid(mix_factor) is the share of the first."""
        share = self.mix_factor.sigmoid()
        return share * pictures + (1 - share) * videos


class TemporalResidual(nn.Module):
    """A residual block with convolutions over three neighbouring frames.

    Its group normalisations see all frames at once. Without `time_channels` there is no time
    embedding, as in an autoencoder.
    """

    def __init__(self, channels: int, time_channels: int | None) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, channels), nn.SiLU(inplace=True), over_frames(channels)
        )
        # The activation before it is the same in every block, so the network applies it once.
        self.emb_layers = (
            nn.Sequential(nn.Identity(), Linear(time_channels, channels)) if time_channels else None
        )
        self.out_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, channels),
            nn.SiLU(inplace=True),
            nn.Identity(),
            over_frames(channels),
        )

    def forward(self, x: Tensor, frames: int, activated_time: Tensor | None = None) -> Tensor:
        """`x` [N, C, h, w], activated_time [N, E] -> [N, C, h, w]."""
        videos = as_videos(x, frames)
        hidden = self.in_layers(videos)
        if self.emb_layers is not None and activated_time is not None:
            hidden = hidden + as_videos(self.emb_layers(activated_time), frames)[..., None, None]
        return as_rows(self.out_layers(hidden) + videos)


def over_frames(channels: int) -> nn.Conv3d:
    """A convolution over each cell of three neighbouring frames."""
    return nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0))


class TemporalTransformerBlock(nn.Module):
    """Feed-forward, attention of each cell to itself in other frames, to the text, feed-forward."""

    def __init__(self, channels: int, context_channels: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        self.norm_in = nn.LayerNorm(channels)
        self.ff_in = FeedForward(channels, feed_forward)
        self.attn1 = CrossAttention(channels, channels, channels, heads)
        self.ff = FeedForward(channels, feed_forward)
        self.attn2 = CrossAttention(channels, channels, context_channels, heads)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.norm3 = nn.LayerNorm(channels)

    def forward(self, tokens: Tensor, context: Tensor | None, frames: int) -> Tensor:
        """`tokens` [N, S, C], context [N, T, D], that of a video's first frame -> [N, S, C]."""
        cells = tokens.shape[1]
        x = tokens.unflatten(0, (-1, frames)).transpose(1, 2).flatten(0, 1)
        if context is not None:
            context = context[::frames].repeat_interleave(cells, dim=0)
        x = self.ff_in(self.norm_in(x)).add_(x)
        x = self.attn1(self.norm1(x)).add_(x)
        x = self.attn2(self.norm2(x), context).add_(x)
        x = self.ff(self.norm3(x)).add_(x)
        return x.unflatten(0, (-1, cells)).transpose(1, 2).flatten(0, 1)


class FramePositions(nn.Sequential):
    """A learned vector for the number of a frame."""

    def __init__(self, channels: int) -> None:
        super().__init__(Linear(channels, 4 * channels), nn.SiLU(), Linear(4 * channels, channels))
        self.channels = channels

    def forward(self, like: Tensor, frames: int) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """[N, 1, C] for tokens [N, S, C]."""
        numbers = torch.arange(frames, device=like.device)
        vectors = super().forward(timestep_embedding(numbers, self.channels).to(like.dtype))
        return vectors.repeat(len(like) // frames, 1)[:, None]
