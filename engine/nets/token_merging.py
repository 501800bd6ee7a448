"""Token merging: attention over fewer tokens, by averaging the most similar ones.

Bolya & Hoffman 2023, "Token Merging for Fast Stable Diffusion", section 4: of each 2 x 2 cells one,
at random, is a destination; of the others the share that is most similar to a destination is merged
into it before self-attention, and copied from it afterwards.

Measured on the incumbent, and the same here, so that seeds give its pictures: only queries are
merged, so each merged token attends to all tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from engine.nets.hooks import NetHooks

STRIDE = 2
"""Cells along a side of the squares that have one destination each."""
MOST_COMPARED = 1 << 24
"""Pairs of tokens that are compared at a time, 4 bytes each: with large pictures all pairs would
take more memory than the attention itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """Which tokens merge, for each row of a batch.

    Attributes:
        destinations: [D] the tokens that others merge into.
        kept: [B, K] sources that do not merge.
        merged: [B, R] sources that do.
        targets: [B, R] the index in `destinations` that each merges into.
        tokens: their number before merging.
    """

    destinations: Tensor
    kept: Tensor
    merged: Tensor
    targets: Tensor
    tokens: int

    def merge(self, tokens: Tensor) -> Tensor:
        """Tokens [B, N, C] -> [B, K + D, C], merged ones as the mean."""
        into = tokens[:, self.destinations]
        moved = _taken(tokens, self.merged)
        index = self.targets[..., None].expand_as(moved)
        into = into.scatter_reduce(1, index, moved, reduce="mean", include_self=True)
        return torch.cat((_taken(tokens, self.kept), into), dim=1)

    def unmerge(self, tokens: Tensor) -> Tensor:
        """Tokens [B, K + D, C] -> [B, N, C], merged ones as copies."""
        kept = tokens[:, : self.kept.shape[1]]
        into = tokens[:, self.kept.shape[1] :]
        found = tokens.new_empty(len(tokens), self.tokens, tokens.shape[-1])
        found[:, self.destinations] = into
        found.scatter_(1, _wide(self.kept, kept), kept)
        copies = _taken(into, self.targets)
        return found.scatter_(1, _wide(self.merged, copies), copies)


def matching(
    tokens: Tensor, height: int, width: int, count: int, generator: torch.Generator
) -> Matching:
    """Match tokens [B, height width, C] by cosine, so that `count` of them merge.

    The cells of a row or column beyond whole squares are no destinations. Draws a random number for
    each square, for all rows of the batch, from a CPU generator.
    """
    rows, columns = height // STRIDE, width // STRIDE
    chosen = torch.randint(STRIDE * STRIDE, (rows, columns), generator=generator)
    y = torch.arange(rows)[:, None] * STRIDE + chosen // STRIDE
    x = torch.arange(columns) * STRIDE + chosen % STRIDE
    destinations = (y * width + x).flatten().to(tokens.device)
    is_source = torch.ones(height * width, dtype=torch.bool, device=tokens.device)
    is_source[destinations] = False
    sources = is_source.nonzero()[:, 0]
    direction = normalize(tokens.float(), dim=-1)
    best, targets = _most_similar(direction[:, sources], direction[:, destinations])
    order = best.argsort(dim=-1, descending=True)
    count = min(count, len(sources))
    merged = order[:, :count]
    return Matching(
        destinations,
        sources[order[:, count:]],
        sources[merged],
        targets.gather(1, merged),
        height * width,
    )


def _most_similar(sources: Tensor, destinations: Tensor) -> tuple[Tensor, Tensor]:
    """[B, S] the cosine of each source's most similar destination, and the index of that one."""
    others = destinations.transpose(1, 2)
    step = max(MOST_COMPARED // max(len(others) * others.shape[2], 1), 1)
    found = [(part @ others).max(dim=-1) for part in sources.split(step, dim=1)]
    return torch.cat([each.values for each in found], 1), torch.cat([e.indices for e in found], 1)


def with_token_merging(hooks: NetHooks, ratio: float, generator: torch.Generator) -> NetHooks:
    """Hooks that also merge that share of tokens in the self-attentions of the first level."""
    merging = TokenMerging(ratio, generator)
    hooks = hooks.with_patch("attn1_patch", merging.merge)
    return hooks.with_patch("attn1_output_patch", merging.unmerge)


class TokenMerging:
    """The two patches of self-attention: `attn1_patch` merges, `attn1_output_patch` unmerges."""

    def __init__(self, ratio: float, generator: torch.Generator) -> None:
        self._ratio = ratio
        self._generator = generator
        self._matching: Matching | None = None

    def merge(
        self, query: Tensor, key: Tensor, value: Tensor, options: Mapping[str, Any]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Merge where there is one token for each cell of x [B, C, h, w]."""
        self._matching = None
        height, width = options["original_shape"][-2:]
        count = int(query.shape[1] * self._ratio)
        if query.shape[1] != height * width or not count or min(height, width) < STRIDE:
            return query, key, value
        found = matching(query, height, width, count, self._generator)
        self._matching = found
        return found.merge(query), key, value

    def unmerge(self, tokens: Tensor, options: Mapping[str, Any]) -> Tensor:
        """The inverse of `merge`, merged tokens as copies."""
        del options
        found, self._matching = self._matching, None
        return tokens if found is None else found.unmerge(tokens)


def _wide(index: Tensor, tokens: Tensor) -> Tensor:
    return index[..., None].expand(-1, -1, tokens.shape[-1])


def _taken(tokens: Tensor, index: Tensor) -> Tensor:
    return tokens.gather(1, _wide(index, tokens))
