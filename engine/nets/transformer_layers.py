"""What diffusion transformers (Peebles & Xie 2022, "DiT") share: patches, norms, modulation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.nets.attention import attend
from engine.nets.layers import Linear, is_recorded, timestep_embedding
from engine.nets.rope import rotate

EPSILON = 1e-6


def patches(x: Tensor, size: int = 2, *, channels_last: bool = False) -> Tensor:
    """A latent [B, C, h, w] as tokens [B, (h / size) (w / size), C size size], row by row.

    Sides that are no multiples of `size` are continued from the opposite edge, as the incumbent
    does. A token holds its channels first (c, row, column), with `channels_last` (row, column, c).
    """
    short = -x.shape[-2] % size, -x.shape[-1] % size
    if any(short):
        x = functional.pad(x, (0, short[1], 0, short[0]), mode="circular")
    x = x.unflatten(3, (-1, size)).unflatten(2, (-1, size))  # [B, C, rows, p, columns, q]
    order = (0, 2, 4, 3, 5, 1) if channels_last else (0, 2, 4, 1, 3, 5)
    return x.permute(order).flatten(3).flatten(1, 2)


def from_patches(
    tokens: Tensor, height: int, width: int, size: int = 2, *, channels_last: bool = False
) -> Tensor:
    """The inverse of `patches` for a latent of that height and width; the padding is cut off."""
    rows, columns = patch_grid(height, width, size)
    x = tokens.unflatten(1, (rows, columns))
    if channels_last:
        x = x.unflatten(3, (size, size, -1)).permute(0, 5, 1, 3, 2, 4)
    else:
        x = x.unflatten(3, (-1, size, size)).permute(0, 3, 1, 4, 2, 5)
    return x.flatten(4, 5).flatten(2, 3)[..., :height, :width]


def patch_grid(height: int, width: int, size: int = 2) -> tuple[int, int]:
    """The rows and columns of patches of a latent."""
    return -(-height // size), -(-width // size)


class RmsNorm(nn.Module):
    """x over its root mean square, times `scale` (Zhang & Sennrich 2019), in x's dtype."""

    def __init__(self, channels: int, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.empty(channels))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """[..., C] -> [..., C]."""
        if x.dtype != torch.bfloat16 or x.device.type != "cpu" or is_recorded():
            return functional.rms_norm(x, self.scale.shape, self.scale, self.epsilon)
        # The same sums in float32 in fewer passes over memory: half of the time.
        wide = x.float()
        squared = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_()
        inverse = squared.div_(x.shape[-1]).add_(self.epsilon).rsqrt_()
        return wide.mul_(inverse).mul_(self.scale.float()).to(x.dtype)


class QueryKeyNorm(nn.Module):
    """RMS norms over each head of queries and keys (Dehghani et al. 2023)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query_norm = RmsNorm(channels)
        self.key_norm = RmsNorm(channels)

    def forward(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """[..., C] each."""
        return self.query_norm(query), self.key_norm(key)


class Embedder(nn.Module):
    """Two projections with SiLU between them: of a timestep's embedding, or of a vector."""

    def __init__(self, channels_in: int, channels: int, *, bias: bool = True) -> None:
        super().__init__()
        self.in_layer = Linear(channels_in, channels, bias=bias)
        self.out_layer = Linear(channels, channels, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C] -> [B, D]."""
        return self.out_layer(functional.silu(self.in_layer(x)))


class TimeEmbedder(Embedder):
    """An embedder of a number such as the time or the strength of guidance."""

    def __init__(
        self, channels_in: int, channels: int, *, factor: float = 1000.0, bias: bool = True
    ) -> None:
        super().__init__(channels_in, channels, bias=bias)
        self.channels_in, self.factor = channels_in, factor

    def forward(self, x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """[B] -> [B, D] in `dtype`, that of the weights; the sinusoids are computed in float32."""
        embedded = timestep_embedding(x.float() * self.factor, self.channels_in)
        return super().forward(embedded.to(dtype))


class Change(NamedTuple):
    """One modulation: shift, scale and gate, each [B, 1, D]."""

    shift: Tensor
    scale: Tensor
    gate: Tensor

    def modulated(self, tokens: Tensor) -> Tensor:
        """The norm of tokens [B, N, D], moved."""
        return modulated(tokens, self.shift, self.scale)

    def gated(self, tokens: Tensor, update: Tensor) -> Tensor:
        """Tokens plus so much of an update."""
        return gated(tokens, update, self.gate)


class ChangeOfSome(NamedTuple):
    """One modulation for the tokens [start, stop), another for the rest of them."""

    start: int
    stop: int
    inside: Change
    outside: Change

    def modulated(self, tokens: Tensor) -> Tensor:
        """See `Change`."""
        parts = zip(self._cut(tokens), self._changes(), strict=True)
        return torch.cat([change.modulated(part) for part, change in parts], dim=1)

    def gated(self, tokens: Tensor, update: Tensor) -> Tensor:
        """See `Change`."""
        parts = zip(self._cut(tokens), self._cut(update), self._changes(), strict=True)
        return torch.cat([change.gated(part, moved) for part, moved, change in parts], dim=1)

    def _cut(self, tokens: Tensor) -> tuple[Tensor, ...]:
        return tokens.tensor_split([self.start, self.stop], dim=1)

    def _changes(self) -> tuple[Change, Change, Change]:
        return self.outside, self.inside, self.outside


class Modulation(nn.Module):
    """A vector as `count` modulations of tokens."""

    def __init__(self, channels: int, count: int, *, bias: bool = True) -> None:
        super().__init__()
        self.count = count
        self.lin = Linear(channels, 3 * count * channels, bias=bias)

    def forward(self, vector: Tensor) -> list[Change]:
        """[B, D] -> `count` changes."""
        parts = self.lin(functional.silu(vector))[:, None].chunk(3 * self.count, dim=-1)
        return [Change(*parts[3 * place : 3 * place + 3]) for place in range(self.count)]


def normalised(tokens: Tensor) -> Tensor:
    """A layer norm without weights, over the last axis."""
    return functional.layer_norm(tokens, tokens.shape[-1:], eps=EPSILON)


def modulated(tokens: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """The layer norm of tokens [B, N, D], times 1 + scale, plus shift [B, 1, D]."""
    return torch.addcmul(shift, normalised(tokens), 1 + scale)


def gated(tokens: Tensor, update: Tensor, gate: Tensor) -> Tensor:
    """Tokens plus gate times update."""
    return torch.addcmul(tokens, update, gate)


def heads_of(projected: Tensor, channels: int, count: int = 3) -> tuple[Tensor, ...]:
    """Queries, keys and values side by side [B, N, count * D] as `count` of [B, N, heads, C]."""
    return projected.unflatten(-1, (count, -1, channels)).unbind(2)


@dataclass(frozen=True, slots=True, eq=False)
class MoreKeys:
    """Keys and values of one block's attention that are kept, or that are attended to besides.

    Attributes:
        kept: the block's own keys, turned, and values [B, N, heads, C] are appended here.
        besides: keys, turned, and values [1 or B, n, heads, C] of other tokens.
    """

    kept: list[tuple[Tensor, Tensor]] | None = None
    besides: tuple[Tensor, Tensor] | None = None

    def of(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values that the block's tokens attend to."""
        if self.kept is not None:
            self.kept.append((key, value))
        if self.besides is None:
            return key, value
        pairs = zip((key, value), self.besides, strict=True)
        both = [torch.cat((own, other.expand(len(own), -1, -1, -1)), dim=1) for own, other in pairs]
        return both[0], both[1]


def attend_heads(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    table: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    more: MoreKeys | None = None,
) -> Tensor:
    """Attention of heads [B, N, heads, C] -> [B, N, heads * C].

    Args:
        query: of the tokens.
        key: likewise; with fewer heads than queries, each serves several in a row.
        value: likewise.
        table: turns queries and keys, see `engine.nets.rope`.
        mask: [B, N], true where a token counts; or [B, N, N], numbers that are added to the product
            of a query and a key; None if all tokens count alike.
        more: see `MoreKeys`.
    """
    heads = query.shape[2]
    if table is not None:
        query, key = rotate(query, table), rotate(key, table)
    if more is not None:
        key, value = more.of(key, value)
    if key.shape[2] != heads:
        shared = heads // key.shape[2]
        key, value = (each.repeat_interleave(shared, dim=2) for each in (key, value))
    wide = None if mask is None else mask[:, None, None] if mask.ndim == 2 else mask[:, None]
    return attend(query.flatten(2), key.flatten(2), value.flatten(2), heads, mask=wide)
