"""The denoiser of Stable Diffusion 3 (MMDiT), in the original key layout.

Esser et al. 2024, "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis": text
and picture are two streams with weights of their own and a common attention. SD3.5 adds norms of
queries and keys; in its medium size the first blocks attend a second time to the picture alone
(MMDiT-X).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import NodeError
from engine.nets.attention import attend
from engine.nets.hooks import NetHooks, Residuals, through_block
from engine.nets.layers import Convolution, Linear, timestep_embedding
from engine.nets.transformer_layers import from_patches, gated, modulated, normalised, patch_grid

PATCH = 2
"""Latent cells along one side of a token."""
TIME_CHANNELS = 256
EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class MMDiTConfig:
    """The sizes of one network.

    Attributes:
        width: of a token.
        depth: joint blocks.
        head: channels of an attention head.
        feed_forward: the inner width of the feed-forward.
        channels: of a latent.
        context, vector: widths of the text's tokens and of its pooled vector.
        positions: rows (and columns) of the table of positions.
        norms: whether queries and keys are normalised.
        attend_twice: blocks with a second attention.
    """

    width: int
    depth: int
    head: int
    feed_forward: int
    channels: int
    context: int
    vector: int
    positions: int
    norms: bool
    attend_twice: frozenset[int]


class MMDiT(nn.Module):
    """Takes a latent, its timestep 0..1000, the text's tokens and vector; predicts the velocity."""

    def __init__(self, config: MMDiTConfig) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.pos_embed = nn.Parameter(torch.empty(1, config.positions**2, width))
        self.x_embedder = Patches(config.channels, width)
        self.t_embedder = Embedder(TIME_CHANNELS, width)
        self.y_embedder = Embedder(config.vector, width)
        self.context_embedder = Linear(config.context, width)
        self.joint_blocks = nn.ModuleList(
            JointBlock(config, twice=place in config.attend_twice, last=place == config.depth - 1)
            for place in range(config.depth)
        )
        self.final_layer = _Final(width, PATCH**2 * config.channels)

    def forward(
        self,
        x: Tensor,
        timestep: Tensor,
        context: Tensor,
        vector: Tensor,
        *,
        control: Residuals | None = None,
        hooks: NetHooks | None = None,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> Tensor:
        """The velocity, like x.

        Args:
            x: [B, C, h, w], noisy.
            timestep: [B], 0 to 1000.
            context: [B, T, context], the text's tokens.
            vector: [B, vector], the pooled text.
            control: `input[i]` [B, N, width] is added to the picture after block i.
            hooks: replace blocks `("double_block", i)`.
            checkpoint: called at every block.

        Raises:
            NodeError: the latent is larger than the table of positions.
        """
        height, width = x.shape[2:]
        image = self.x_embedder(x) + middle(self.pos_embed, height, width)
        time = self.t_embedder(timestep_embedding(timestep, TIME_CHANNELS).to(x.dtype))
        vec = time + self.y_embedder(vector)
        text: Tensor | None = self.context_embedder(context)
        added = control.input if control else ()
        for number, block in enumerate(self.joint_blocks):
            checkpoint()
            text, image = _through(hooks, number, block, text, image, vec)
            residual = added[number] if number < len(added) else None
            if residual is not None:
                image = image + residual
        return from_patches(self.final_layer(image, vec), height, width, PATCH, channels_last=True)


def middle(table: Tensor, height: int, width: int) -> Tensor:
    """The middle of a table of positions [1, side * side, D], [1, N, D] for a latent of that size.

    Raises:
        NodeError: the latent is larger.
    """
    side = isqrt(table.shape[1])
    rows, columns = patch_grid(height, width, PATCH)
    check_size(side, height, width)
    top, left = (side - rows) // 2, (side - columns) // 2
    square = table.unflatten(1, (side, side))
    return square[:, top : top + rows, left : left + columns].flatten(1, 2)


def check_size(positions: int, height: int, width: int) -> None:
    """Raise `NodeError` if a latent is larger than a table of so many rows of positions."""
    most = PATCH * positions
    if max(height, width) > most:
        raise NodeError(
            f"the latent has {width} x {height} cells, this model has positions for {most} x "
            f"{most} ({8 * most} pixels a side); make the picture smaller, and enlarge the result"
        )


def _through(
    hooks: NetHooks | None, number: int, block: nn.Module, text: Any, image: Tensor, vec: Tensor
) -> tuple[Tensor | None, Tensor]:
    """One block, or what a plugin put in its place."""

    def original(given: Mapping[str, Any]) -> dict[str, Any]:
        found = block(given["txt"], given["img"], given["vec"])
        return dict(zip(("txt", "img"), found, strict=True))

    given = {"img": image, "txt": text, "vec": vec}
    found = through_block(hooks, ("double_block", number), given, original)
    return found["txt"], found["img"]


class JointBlock(nn.Module):
    """A block of both streams. The last one has no use for the text after its attention."""

    def __init__(self, config: MMDiTConfig, *, twice: bool, last: bool) -> None:
        super().__init__()
        self.heads, self.last = config.width // config.head, last
        self.context_block = Stream(config, last=last)
        self.x_block = Stream(config, twice=twice)

    def forward(self, text: Tensor, image: Tensor, vec: Tensor) -> tuple[Tensor | None, Tensor]:
        """Text [B, T, D], image [B, N, D], vec [B, D] -> both; no text from the last block."""
        ours, theirs = self.x_block, self.context_block
        image_changes, text_changes = ours.changes(vec), theirs.changes(vec)
        normal = normalised(image)
        of_text = theirs.attn.projected(modulated(text, *text_changes[:2]))
        of_image = ours.attn.projected(_changed(normal, *image_changes[:2]))
        query, key, value = (torch.cat(pair, dim=1) for pair in zip(of_text, of_image, strict=True))
        attended = attend(query, key, value, self.heads)
        text_seen, image_seen = attended.split([text.shape[1], image.shape[1]], dim=1)
        second = self._attended_again(normal, image_changes)
        image = gated(image, ours.attn.out(image_seen), image_changes[2])
        image = image if second is None else image + second
        image = ours.fed_forward(image, image_changes)
        if self.last:
            return None, image
        text = gated(text, theirs.attn.out(text_seen), text_changes[2])
        return theirs.fed_forward(text, text_changes), image

    def _attended_again(self, normal: Tensor, changes: tuple[Tensor, ...]) -> Tensor | None:
        """The picture's attention to itself, gated; None in blocks without one."""
        attention = self.x_block.attn2
        if attention is None:
            return None
        shift, scale, gate = changes[6:]
        query, key, value = attention.projected(_changed(normal, shift, scale))
        return attention.out(attend(query, key, value, self.heads)) * gate


class Stream(nn.Module):
    """The weights of one stream in a block; `JointBlock` calls its parts."""

    def __init__(self, config: MMDiTConfig, *, twice: bool = False, last: bool = False) -> None:
        super().__init__()
        width = config.width
        self.attn = _Attention(config, projects=not last)
        self.attn2 = _Attention(config) if twice else None
        self.mlp = None if last else _FeedForward(width, config.feed_forward)
        # Shift and scale; without the last one a gate, too, and all three of the feed-forward.
        self.count = 2 if last else 9 if twice else 6
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), Linear(width, self.count * width))

    def changes(self, vec: Tensor) -> tuple[Tensor, ...]:
        """Shift, scale and gate of the attention, the feed-forward and the second attention."""
        return self.adaLN_modulation(vec)[:, None].chunk(self.count, dim=-1)

    def fed_forward(self, tokens: Tensor, changes: tuple[Tensor, ...]) -> Tensor:
        """Tokens [B, N, D] after the feed-forward."""
        shift, scale, gate = changes[3:6]
        return (
            tokens
            if self.mlp is None
            else gated(tokens, self.mlp(modulated(tokens, shift, scale)), gate)
        )


class _Attention(nn.Module):
    """The projections of an attention, which the block computes."""

    def __init__(self, config: MMDiTConfig, *, projects: bool = True) -> None:
        super().__init__()
        width, self.head = config.width, config.head
        self.qkv = Linear(width, 3 * width)
        self.proj = Linear(width, width) if projects else None
        self.ln_q = nn.RMSNorm(self.head, eps=EPSILON) if config.norms else None
        self.ln_k = nn.RMSNorm(self.head, eps=EPSILON) if config.norms else None

    def projected(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values [B, N, D] of tokens [B, N, D]."""
        query, key, value = self.qkv(tokens).chunk(3, dim=-1)
        if self.ln_q is None or self.ln_k is None:
            return query, key, value
        query, key = (each.unflatten(-1, (-1, self.head)) for each in (query, key))
        return self.ln_q(query).flatten(-2), self.ln_k(key).flatten(-2), value

    def out(self, attended: Tensor) -> Tensor:
        """The result for tokens [B, N, D] of the attention itself."""
        return attended if self.proj is None else self.proj(attended)


class _FeedForward(nn.Module):
    """Two projections with an approximate GELU between them."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1 = Linear(width, inner)
        self.fc2 = Linear(inner, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, D] -> [B, N, D]."""
        return self.fc2(functional.gelu(self.fc1(tokens), approximate="tanh"))


class Patches(nn.Module):
    """A latent as tokens."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.proj = Convolution(channels, width, PATCH, PATCH)

    def forward(self, x: Tensor) -> Tensor:
        """X [B, C, h, w] -> [B, N, D]; odd sides are continued from the opposite edge."""
        short = -x.shape[-2] % PATCH, -x.shape[-1] % PATCH
        if any(short):
            x = functional.pad(x, (0, short[1], 0, short[0]), mode="circular")
        return self.proj(x).flatten(2).transpose(1, 2)


class Embedder(nn.Module):
    """Two projections with SiLU between them."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(Linear(channels, width), nn.SiLU(), Linear(width, width))

    def forward(self, vector: Tensor) -> Tensor:
        """[B, channels] -> [B, D]."""
        return self.mlp(vector)


class _Final(nn.Module):
    """Tokens as the values of their patches (row, column, channel)."""

    def __init__(self, width: int, values: int) -> None:
        super().__init__()
        self.linear = Linear(width, values)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), Linear(width, 2 * width))

    def forward(self, tokens: Tensor, vec: Tensor) -> Tensor:
        """Tokens [B, N, D], vec [B, D] -> [B, N, values]."""
        return self.linear(modulated(tokens, *self.adaLN_modulation(vec)[:, None].chunk(2, dim=-1)))


def _changed(normal: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Normalised tokens, times 1 + scale, plus shift."""
    return torch.addcmul(shift, normal, 1 + scale)
