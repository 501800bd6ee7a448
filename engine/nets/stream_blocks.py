"""Transformer blocks of the FLUX line: text and picture in two streams, then in one.

Black Forest Labs 2024, github.com/black-forest-labs/flux, in the original key layout. Double blocks
after Esser et al. 2024, "Scaling Rectified Flow Transformers"; single blocks after Dehghani et al.
2023. FLUX.1 has a modulation in each block, Chroma and FLUX.2 compute them outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.nets import rope
from engine.nets.hooks import NetHooks, Residuals, through_block
from engine.nets.layers import Linear
from engine.nets.transformer_layers import (
    Change,
    ChangeOfSome,
    Modulation,
    MoreKeys,
    QueryKeyNorm,
    attend_heads,
    heads_of,
    modulated,
)

HEAD_CHANNELS = 128
"""Channels of an attention head in every released network of the line."""


@dataclass(frozen=True, slots=True)
class BlockSizes:
    """What the blocks of one network have in common.

    Attributes:
        channels: of a token.
        heads: of the attention.
        inner: channels inside a feed-forward.
        bias: whether projections have one.
        is_gated: whether half of the feed-forward gates the other (SwiGLU, Shazeer 2020).
        modulates: whether each block has its own modulation.
    """

    channels: int
    heads: int
    inner: int
    bias: bool = True
    is_gated: bool = False
    modulates: bool = True

    @property
    def head(self) -> int:
        """Channels of a head."""
        return self.channels // self.heads

    @property
    def widened(self) -> int:
        """Channels that a feed-forward's first projection makes."""
        return self.inner * (2 if self.is_gated else 1)


AnyChange = Change | ChangeOfSome
Changes = tuple[Sequence[AnyChange], Sequence[Change]]
"""The modulations of a double block: two of the picture, two of the text."""


class GatedSilu(nn.Module):
    """SiLU of the first half times the second (Shazeer 2020, SwiGLU)."""

    def forward(self, hidden: Tensor) -> Tensor:
        """[..., 2 C] -> [..., C]."""
        gate, value = hidden.chunk(2, dim=-1)
        return functional.silu(gate).mul_(value)


def _activation(sizes: BlockSizes) -> nn.Module:
    return GatedSilu() if sizes.is_gated else nn.GELU(approximate="tanh")


def _feed_forward(sizes: BlockSizes) -> nn.Sequential:
    return nn.Sequential(
        Linear(sizes.channels, sizes.widened, bias=sizes.bias),
        _activation(sizes),
        Linear(sizes.inner, sizes.channels, bias=sizes.bias),
    )


class SelfAttention(nn.Module):
    """The projections of one stream's attention, which the block computes."""

    def __init__(self, sizes: BlockSizes) -> None:
        super().__init__()
        self.head = sizes.head
        self.qkv = Linear(sizes.channels, 3 * sizes.channels, bias=sizes.bias)
        self.norm = QueryKeyNorm(sizes.head)
        self.proj = Linear(sizes.channels, sizes.channels, bias=sizes.bias)

    def projected(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens [B, N, D] as queries, keys and values [B, N, heads, C]."""
        query, key, value = heads_of(self.qkv(tokens), self.head)
        query, key = self.norm(query, key)
        return query, key, value


class DoubleBlock(nn.Module):
    """Text and picture with weights of their own and a common attention."""

    def __init__(self, sizes: BlockSizes) -> None:
        super().__init__()
        self.modulates = sizes.modulates
        if sizes.modulates:
            self.img_mod = Modulation(sizes.channels, 2)
            self.txt_mod = Modulation(sizes.channels, 2)
        self.img_attn = SelfAttention(sizes)
        self.img_mlp = _feed_forward(sizes)
        self.txt_attn = SelfAttention(sizes)
        self.txt_mlp = _feed_forward(sizes)

    def forward(
        self,
        img: Tensor,
        txt: Tensor,
        vec: Tensor | Changes,
        table: Tensor,
        mask: Tensor | None = None,
        more: MoreKeys | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Img [B, N, D] and txt [B, T, D] after the block.

        Args:
            img: tokens of the picture.
            txt: tokens of the text.
            vec: [B, D], or the modulations if the block has none.
            table: turns text, then picture; see `engine.nets.rope`.
            mask: see `BlockRun`.
            more: likewise.
        """
        if isinstance(vec, Tensor):
            vec = self.img_mod(vec), self.txt_mod(vec)
        (img_first, img_second), (txt_first, txt_second) = vec
        ours = self.img_attn.projected(img_first.modulated(img))
        theirs = self.txt_attn.projected(txt_first.modulated(txt))
        query, key, value = (torch.cat(pair, dim=1) for pair in zip(theirs, ours, strict=True))
        attended = attend_heads(query, key, value, table, mask, more=more)
        words = txt.shape[1]
        img = img_first.gated(img, self.img_attn.proj(attended[:, words:]))
        txt = txt_first.gated(txt, self.txt_attn.proj(attended[:, :words]))
        return _fed(img, self.img_mlp, img_second), _fed(txt, self.txt_mlp, txt_second)


def _fed(tokens: Tensor, feed_forward: nn.Module, change: AnyChange) -> Tensor:
    return change.gated(tokens, feed_forward(change.modulated(tokens)))


class SingleBlock(nn.Module):
    """Attention and feed-forward side by side, over text and picture together."""

    def __init__(self, sizes: BlockSizes) -> None:
        super().__init__()
        self.channels, self.head = sizes.channels, sizes.head
        self.linear1 = Linear(sizes.channels, 3 * sizes.channels + sizes.widened, bias=sizes.bias)
        self.linear2 = Linear(sizes.channels + sizes.inner, sizes.channels, bias=sizes.bias)
        self.norm = QueryKeyNorm(sizes.head)
        self.activation = _activation(sizes)
        if sizes.modulates:
            self.modulation = Modulation(sizes.channels, 1)

    def forward(
        self,
        tokens: Tensor,
        vec: Tensor | AnyChange,
        table: Tensor,
        mask: Tensor | None = None,
        more: MoreKeys | None = None,
    ) -> Tensor:
        """`tokens` [B, T + N, D], text first, after the block; see `DoubleBlock`."""
        change = self.modulation(vec)[0] if isinstance(vec, Tensor) else vec
        inner = self.linear1(change.modulated(tokens))
        projected, hidden = inner.tensor_split([3 * self.channels], dim=-1)
        query, key, value = heads_of(projected, self.head)
        query, key = self.norm(query, key)
        attended = attend_heads(query, key, value, table, mask, more=more)
        joined = torch.cat((attended, self.activation(hidden)), dim=-1)
        return change.gated(tokens, self.linear2(joined))


class LastLayer(nn.Module):
    """A modulated norm, and the projection to patches."""

    def __init__(
        self, channels: int, out_channels: int, *, bias: bool = True, modulates: bool = True
    ) -> None:
        super().__init__()
        self.linear = Linear(channels, out_channels, bias=bias)
        if modulates:
            self.adaLN_modulation = nn.Sequential(
                nn.SiLU(), Linear(channels, 2 * channels, bias=bias)
            )

    def forward(self, tokens: Tensor, vec: Tensor | tuple[Tensor, Tensor]) -> Tensor:
        """`tokens` [B, N, D] -> [B, N, out]; vec [B, D], or shift and scale [B, 1, D]."""
        if isinstance(vec, Tensor):
            shift, scale = self.adaLN_modulation(vec)[:, None].chunk(2, dim=-1)
            vec = shift, scale
        return self.linear(modulated(tokens, *vec))


@dataclass(frozen=True, slots=True, eq=False)
class BlockRun:
    """How one call goes through the blocks.

    Attributes:
        double, single: the modulation of a block by its number: [B, D], or what the block takes.
        table: turns text, then picture; see `engine.nets.rope`.
        mask: [B, T + N], true where a token counts, or [B, T + N, T + N], see
            `engine.nets.transformer_layers.attend_heads`; None if all do.
        control: `input[i]` [B, n, D] is added to the picture's first n tokens after double block i,
            `output[i]` after single block i.
        hooks: of kind `dit`, at `("double_block", i)` and `("single_block", i)`.
        checkpoint: called before every block.
        more: of a block by its number, those of one stream after those of two.
    """

    double: Callable[[int], Tensor | Changes]
    single: Callable[[int], Tensor | AnyChange]
    table: Tensor
    mask: Tensor | None
    control: Residuals | None
    hooks: NetHooks | None
    checkpoint: Callable[[], None]
    more: Callable[[int], MoreKeys | None] = lambda _: None

    def through(
        self, double: nn.ModuleList, single: nn.ModuleList, img: Tensor, txt: Tensor
    ) -> Tensor:
        """Img [B, N, D] after all blocks."""
        residuals = self.control or Residuals()
        for number, block in enumerate(double):
            self.checkpoint()
            img, txt = self._double(block, number, img, txt)
            img = _with_residual(img, residuals.input, number)
        words = txt.shape[1]
        both = torch.cat((txt, img), dim=1)
        for number, block in enumerate(single):
            self.checkpoint()
            both = self._single(block, number, both, self.more(len(double) + number))
            if number < len(residuals.output):
                changed = _with_residual(both[:, words:], residuals.output, number)
                both = torch.cat((both[:, :words], changed), dim=1)
        return both[:, words:]

    def _double(
        self, block: nn.Module, number: int, img: Tensor, txt: Tensor
    ) -> tuple[Tensor, Tensor]:
        vec, hooks, place = self.double(number), self.hooks, ("double_block", number)
        after = hooks.of("double_block") if hooks else ()
        if hooks is None or not (after or ("dit", place) in hooks.replacements):
            return block(img, txt, vec, self.table, self.mask, self.more(number))

        def original(given: Mapping[str, Any]) -> dict[str, Any]:
            table = rope.from_matrices(given["pe"])
            found = block(given["img"], given["txt"], given["vec"], table, given.get("attn_mask"))
            return {"img": found[0], "txt": found[1]}

        turned = rope.matrices(self.table)
        inputs = {"img": img, "txt": txt, "vec": vec, "pe": turned, "attn_mask": self.mask}
        found = through_block(hooks, place, inputs, original)
        for patch in after:
            options = hooks.options_at(*place)
            found = patch({**found, "block_index": number, "transformer_options": options})
        return found["img"], found["txt"]

    def _single(self, block: nn.Module, number: int, both: Tensor, more: MoreKeys | None) -> Tensor:
        vec, hooks, place = self.single(number), self.hooks, ("single_block", number)
        if hooks is None or ("dit", place) not in hooks.replacements:
            return block(both, vec, self.table, self.mask, more)

        def original(given: Mapping[str, Any]) -> dict[str, Any]:
            table = rope.from_matrices(given["pe"])
            return {"img": block(given["img"], given["vec"], table, given.get("attn_mask"))}

        turned = rope.matrices(self.table)
        inputs = {"img": both, "vec": vec, "pe": turned, "attn_mask": self.mask}
        return through_block(hooks, place, inputs, original)["img"]


def _with_residual(img: Tensor, residuals: Sequence[Tensor | None], number: int) -> Tensor:
    added = residuals[number] if number < len(residuals) else None
    if added is None:
        return img
    changed = img.clone()
    changed[:, : added.shape[1]] += added
    return changed
