"""AuraFlow's denoiser (fal 2024, https://blog.fal.ai/auraflow/) in the original key layout.

Blocks of two streams, text and picture (Esser et al. 2024), then blocks of one. Tokens that belong
to neither stand before the text (Darcet et al. 2023, "Vision Transformers Need Registers").
Positions are learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.families.family import Checkpoint
from engine.nets.hooks import NetHooks, through_block
from engine.nets.layers import Linear, timestep_embedding
from engine.nets.transformer_layers import attend_heads, from_patches, patch_grid, patches

TIME_CHANNELS = 256
TIME_FACTOR = 1000.0
EPSILON = 1e-5
HEAD_CHANNELS = 256


@dataclass(frozen=True, slots=True)
class AuraFlowConfig:
    """Sizes, from tensor shapes.

    Attributes:
        in_channels: of a token: a patch of 2 x 2 cells.
        context_channels: of the text encoder's tokens.
        channels: of a token inside.
        inner: channels inside a feed-forward.
        double, single: blocks of two streams, and of one.
        registers: tokens before the text.
        places: rows of the table of positions, a square.
    """

    in_channels: int
    context_channels: int
    channels: int
    inner: int
    double: int
    single: int
    registers: int
    places: int


class Change(NamedTuple):
    """How the time changes a block: each [B, 1, C]."""

    shift: Tensor
    scale: Tensor
    gate: Tensor
    inner_shift: Tensor
    inner_scale: Tensor
    inner_gate: Tensor


def _normal(x: Tensor) -> Tensor:
    """A layer norm without weights over the last axis, computed in float32."""
    return functional.layer_norm(x.float(), x.shape[-1:], eps=EPSILON).to(x.dtype)


class Modulation(nn.ModuleDict):
    """The time as changes of a block."""

    def __init__(self, channels: int, count: int = 6) -> None:
        super().__init__({"1": Linear(channels, count * channels, bias=False)})
        self.count = count

    def forward(self, vector: Tensor) -> tuple[Tensor, ...]:
        """[B, C] -> `count` of [B, 1, C]."""
        return self["1"](functional.silu(vector))[:, None].chunk(self.count, dim=-1)


class FeedForward(nn.Module):
    """Two projections, one gating the other (Shazeer 2020, "SwiGLU"), and one back."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.c_fc1, self.c_fc2 = (Linear(channels, inner, bias=False) for _ in range(2))
        self.c_proj = Linear(inner, channels, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C]."""
        return self.c_proj(functional.silu(self.c_fc1(tokens)) * self.c_fc2(tokens))


class Attention(nn.Module):
    """Attention of one stream, or of two with projections of their own."""

    def __init__(self, channels: int, streams: int) -> None:
        super().__init__()
        self.streams = streams
        for stream in range(1, streams + 1):
            for kind in "qkvo":
                self.add_module(f"w{stream}{kind}", Linear(channels, channels, bias=False))

    def forward(self, *streams: Tensor) -> list[Tensor]:
        """[B, N, C] of each stream -> the same."""
        found: list[list[Tensor]] = [[], [], []]
        for number, tokens in enumerate(streams, start=1):
            for kind, each in zip("qkv", found, strict=True):
                heads = getattr(self, f"w{number}{kind}")(tokens).unflatten(-1, (-1, HEAD_CHANNELS))
                each.append(heads if kind == "v" else _normal(heads))
        joined = attend_heads(*(torch.cat(each, dim=1) for each in found))
        split = joined.split([tokens.shape[1] for tokens in streams], dim=1)
        return [getattr(self, f"w{i}o")(each) for i, each in enumerate(split, start=1)]


def _ended(tokens: Tensor, found: Tensor, change: Change, feed_forward: nn.Module) -> Tensor:
    """The second half of a block; its result is added to the block's input, not to the first's."""
    inner = _normal(tokens + change.gate * found)
    inner = feed_forward(inner * (1 + change.inner_scale) + change.inner_shift)
    return tokens + change.inner_gate * inner


class DoubleBlock(nn.Module):
    """A block of two streams: the text is the first."""

    def __init__(self, config: AuraFlowConfig) -> None:
        super().__init__()
        wide = config.channels
        self.modC, self.modX = Modulation(wide), Modulation(wide)
        self.attn = Attention(wide, 2)
        self.mlpC, self.mlpX = FeedForward(wide, config.inner), FeedForward(wide, config.inner)

    def forward(self, txt: Tensor, img: Tensor, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens [B, T, C] and [B, N, C] -> the same."""
        of_txt, of_img = Change(*self.modC(vector)), Change(*self.modX(vector))
        found = self.attn(
            _normal(txt) * (1 + of_txt.scale) + of_txt.shift,
            _normal(img) * (1 + of_img.scale) + of_img.shift,
        )
        return (
            _ended(txt, found[0], of_txt, self.mlpC),
            _ended(img, found[1], of_img, self.mlpX),
        )


class SingleBlock(nn.Module):
    """A block of one stream."""

    def __init__(self, config: AuraFlowConfig) -> None:
        super().__init__()
        self.modCX = Modulation(config.channels)
        self.attn = Attention(config.channels, 1)
        self.mlp = FeedForward(config.channels, config.inner)

    def forward(self, tokens: Tensor, vector: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C]."""
        change = Change(*self.modCX(vector))
        [found] = self.attn(_normal(tokens) * (1 + change.scale) + change.shift)
        return _ended(tokens, found, change, self.mlp)


class AuraFlow(nn.Module):
    """The denoiser."""

    def __init__(self, config: AuraFlowConfig) -> None:
        super().__init__()
        self.config = config
        wide = config.channels
        layers = {"0": Linear(TIME_CHANNELS, wide), "2": Linear(wide, wide)}
        self.t_embedder = nn.ModuleDict({"mlp": nn.ModuleDict(layers)})
        self.cond_seq_linear = Linear(config.context_channels, wide, bias=False)
        self.init_x_linear = Linear(config.in_channels, wide)
        self.positional_encoding = nn.Parameter(torch.empty(1, config.places, wide))
        self.register_tokens = nn.Parameter(torch.empty(1, config.registers, wide))
        self.double_layers = nn.ModuleList(DoubleBlock(config) for _ in range(config.double))
        self.single_layers = nn.ModuleList(SingleBlock(config) for _ in range(config.single))
        self.modF = Modulation(wide, 2)
        self.final_linear = Linear(wide, config.in_channels, bias=False)

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        context: Tensor,
        *,
        hooks: NetHooks | None = None,
        checkpoint: Checkpoint = lambda: None,
    ) -> Tensor:
        """The velocity [B, 4, h, w].

        Args:
            x: [B, 4, h, w], the noisy latent.
            time: [B], 0..1, float32.
            context: [B, T, D], the text encoder's tokens.
            hooks: replace blocks.
            checkpoint: called before every block.
        """
        layers = self.t_embedder["mlp"]
        embedded = timestep_embedding(time * TIME_FACTOR, TIME_CHANNELS).to(x.dtype)
        vector = layers["2"](functional.silu(layers["0"](embedded)))  # type: ignore[index]
        img = self.init_x_linear(patches(x)) + self._places(*patch_grid(*x.shape[-2:]))
        registers = self.register_tokens.to(x.dtype).expand(len(x), -1, -1)
        txt = torch.cat((registers, self.cond_seq_linear(context)), dim=1)
        for number, block in enumerate(self.double_layers):
            checkpoint()

            def call(given: Mapping[str, Any], block: nn.Module = block) -> dict[str, Any]:
                found = block(given["txt"], given["img"], given["vec"])
                return {"txt": found[0], "img": found[1]}

            named = {"txt": txt, "img": img, "vec": vector}
            found = through_block(hooks, ("double_block", number), named, call)
            txt, img = found["txt"], found["img"]
        tokens = torch.cat((txt, img), dim=1)
        for number, block in enumerate(self.single_layers):
            checkpoint()

            def single(given: Mapping[str, Any], block: nn.Module = block) -> dict[str, Any]:
                return {"img": block(given["img"], given["vec"])}

            named = {"img": tokens, "vec": vector}
            tokens = through_block(hooks, ("single_block", number), named, single)["img"]
        shift, scale = self.modF(vector)
        found = self.final_linear(tokens[:, txt.shape[1] :] * (1 + scale) + shift)
        # Tokens hold their channels first where they enter, and last where they leave.
        return from_patches(found, *x.shape[-2:], channels_last=True)

    def _places(self, rows: int, columns: int) -> Tensor:
        """The positions [1, N, C] of a picture around the middle of the table.

        Between those of the table for a picture that is larger than it, as the incumbent does.
        """
        side = round(self.config.places**0.5)
        table = self.positional_encoding.unflatten(1, (side, side))
        most = max(rows, columns)
        if most > side:
            plane = table.movedim(-1, 1).float()
            plane = functional.interpolate(plane, (most, most), mode="bilinear")
            table, side = plane.movedim(1, -1).to(table.dtype), most
        top, left = side // 2 - rows // 2, side // 2 - columns // 2
        return table[:, top : top + rows, left : left + columns].flatten(1, 2)
