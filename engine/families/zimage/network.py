"""The denoiser of Lumina 2 and Z-Image (NextDiT), in the original key layout.

Qin et al. 2025, "Lumina-Image 2.0"; Cai et al. 2025, "Z-Image: An Efficient Image Generation
Foundation Model with Single-Stream Diffusion Transformer". Text and picture pass a few layers of
their own, then one stream of layers together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.nets.hooks import NetHooks, through_block
from engine.nets.layers import Linear, timestep_embedding
from engine.nets.rope import grid, matrices, rotations
from engine.nets.transformer_layers import (
    attend_heads,
    from_patches,
    normalised,
    patch_grid,
    patches,
)

PATCH = 2
"""Latent cells along one side of a token."""
TIME_CHANNELS = 256
EPSILON = 1e-5
HEAD_EPSILON = 1e-6
"""Of the norms of queries and keys: the incumbent's is 1e-7, diffusers' 1e-5."""


@dataclass(frozen=True, slots=True)
class NextDiTConfig:
    """The sizes of one network.

    Attributes:
        width: of a token.
        layers, noise_refiners, context_refiners: the numbers of layers.
        head: channels of an attention head.
        key_heads: heads of keys and values, each of which serves several of the queries.
        feed_forward: the inner width of the feed-forward.
        channels: of a latent.
        context: the width of the text's tokens.
        time: the width of the vector that modulates the layers; `time_inner` that before it.
        axes: channels of a head that turn with the position in the text, the row, the column.
        period: of the slowest of these rotations, see `engine.nets.rope`.
        time_scale: what the time 0..1 is multiplied by.
        multiple: what the numbers of tokens are filled up to with learned ones; 1: not.
        activated: whether the vector passes SiLU before each modulation.
    """

    width: int
    layers: int
    noise_refiners: int
    context_refiners: int
    head: int
    key_heads: int
    feed_forward: int
    channels: int
    context: int
    time: int
    time_inner: int
    axes: tuple[int, int, int]
    period: float
    time_scale: float
    multiple: int
    activated: bool


class NextDiT(nn.Module):
    """Takes a latent, its sigma 0..1 and the text's tokens; predicts the velocity."""

    def __init__(self, config: NextDiTConfig) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.x_embedder = Linear(PATCH**2 * config.channels, width)
        self.noise_refiner = _layers(config, config.noise_refiners)
        self.context_refiner = _layers(config, config.context_refiners, modulated=False)
        self.t_embedder = _TimeEmbedder(config)
        self.cap_embedder = nn.Sequential(
            nn.RMSNorm(config.context, eps=EPSILON), Linear(config.context, width)
        )
        self.layers = _layers(config, config.layers)
        self.final_layer = _Final(config)
        if config.multiple > 1:
            self.x_pad_token = nn.Parameter(torch.empty(1, width))
            self.cap_pad_token = nn.Parameter(torch.empty(1, width))

    def forward(
        self,
        x: Tensor,
        sigma: Tensor,
        context: Tensor,
        *,
        hooks: NetHooks | None = None,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> Tensor:
        """The velocity, like x.

        Args:
            x: [B, C, h, w], noisy.
            sigma: [B], 0 to 1.
            context: [B, T, context], the text's tokens.
            hooks: replace layers `("layers", i)`; patches of the kinds `noise_refiner` and
                `double_block` change the tokens after a layer, of `embedded` those before all.
            checkpoint: called at every layer.
        """
        height, width = x.shape[2:]
        vec = self.t_embedder((1.0 - sigma) * self.config.time_scale, x.dtype)
        text = self._filled(self.cap_embedder(context), "cap_pad_token")
        image = self.x_embedder(patches(x, PATCH, channels_last=True))
        count = image.shape[1]
        image = self._filled(image, "x_pad_token")
        table = self.positions(text.shape[1], height, width, x.device)
        of_text, of_image = table.split([text.shape[1], image.shape[1]])
        for layer in self.context_refiner:
            checkpoint()
            text = layer(text, of_text)
        patched = _Patched(hooks, x, vec, table)
        text, image = patched.after("embedded", 0, text, image)
        for number, layer in enumerate(self.noise_refiner):
            checkpoint()
            image = layer(image, of_image, vec)
            text, image = patched.after("noise_refiner", number, text, image)
        tokens, words = torch.cat((text, image), dim=1), text.shape[1]
        for number, layer in enumerate(self.layers):
            checkpoint()
            tokens = _through(hooks, number, layer, tokens, table, vec)
            if patched.has("double_block"):
                text, image = tokens[:, :words], tokens[:, words:]
                tokens = torch.cat(patched.after("double_block", number, text, image), dim=1)
        image = self.final_layer(tokens[:, words : words + count], vec)
        return -from_patches(image, height, width, PATCH, channels_last=True)

    def positions(self, text: int, height: int, width: int, device: torch.device) -> Tensor:
        """The rotations [text + N, head / 2, 2] of all tokens, the text's first.

        Words are numbered from 1 on the first axis; the picture comes after them, with its rows and
        columns on the others. What fills up the picture is at zero.
        """
        config = self.config
        numbers = torch.zeros(text, 3, device=device)
        numbers[:, 0] = torch.arange(1, text + 1, device=device)
        rows, columns = patch_grid(height, width, PATCH)
        cells = grid(rows, columns, index=text + 1, device=device)
        cells = functional.pad(cells, (0, 0, 0, -len(cells) % config.multiple))
        return rotations(torch.cat((numbers, cells)), config.axes, config.period)

    def _filled(self, tokens: Tensor, name: str) -> Tensor:
        """Tokens [B, N, D], filled up to a multiple with a learned one."""
        short = -tokens.shape[1] % self.config.multiple
        if not short:
            return tokens
        learned: Tensor = getattr(self, name).to(tokens.dtype)
        return torch.cat((tokens, learned.expand(len(tokens), short, -1)), dim=1)


def _through(
    hooks: NetHooks | None,
    number: int,
    layer: nn.Module,
    tokens: Tensor,
    table: Tensor,
    vec: Tensor,
) -> Tensor:
    """One layer, or what a plugin put in its place."""

    def original(given: Mapping[str, Any]) -> dict[str, Any]:
        return {"img": layer(given["img"], table, given["vec"])}

    given = {"img": tokens, "vec": vec, "pe": table}
    return through_block(hooks, ("layers", number), given, original)["img"]


@dataclass(frozen=True, slots=True, eq=False)
class _Patched:
    """The patches of one call, which change the tokens after a layer.

    Attributes:
        hooks: of the call.
        x: the network's input.
        vec: the vector that modulates.
        table: the rotations, the text's first.
    """

    hooks: NetHooks | None
    x: Tensor
    vec: Tensor
    table: Tensor

    def has(self, kind: str) -> bool:
        """Whether there are patches of a kind."""
        return self.hooks is not None and bool(self.hooks.of(kind))

    def after(self, kind: str, number: int, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Text and picture after the layer of that number."""
        if self.hooks is None or not self.has(kind):
            return text, image
        turned = matrices(self.table[text.shape[1] :]).transpose(1, 2)
        for patch in self.hooks.of(kind):
            given = {
                "img": image,
                "txt": text,
                "pe": turned,
                "table": self.table,
                "vec": self.vec,
                "x": self.x,
                "block_index": number,
                "transformer_options": self.hooks.options_at(kind, number),
            }
            found = patch(given)
            text, image = found.get("txt", text), found.get("img", image)
        return text, image


class Layer(nn.Module):
    """Attention and feed-forward with norms before and after them (a "sandwich")."""

    def __init__(self, config: NextDiTConfig, *, modulated: bool = True) -> None:
        super().__init__()
        width = config.width
        self.attention = _Attention(config)
        self.feed_forward = _FeedForward(width, config.feed_forward)
        self.attention_norm1 = nn.RMSNorm(width, eps=EPSILON)
        self.ffn_norm1 = nn.RMSNorm(width, eps=EPSILON)
        self.attention_norm2 = nn.RMSNorm(width, eps=EPSILON)
        self.ffn_norm2 = nn.RMSNorm(width, eps=EPSILON)
        self.adaLN_modulation = _modulation(config, 4 * width) if modulated else None

    def forward(self, tokens: Tensor, table: Tensor, vec: Tensor | None = None) -> Tensor:
        """Tokens [B, N, D], their rotations [N, head / 2, 2], vec [B, time] -> [B, N, D]."""
        if self.adaLN_modulation is None or vec is None:
            tokens = tokens + self.attention_norm2(
                self.attention(self.attention_norm1(tokens), table)
            )
            return tokens + self.ffn_norm2(self.feed_forward(self.ffn_norm1(tokens)))
        scale, gate, ff_scale, ff_gate = self.adaLN_modulation(vec)[:, None].chunk(4, dim=-1)
        update = self.attention(self.attention_norm1(tokens) * (1.0 + scale), table)
        tokens = torch.addcmul(tokens, gate.tanh(), self.attention_norm2(update))
        update = self.feed_forward(self.ffn_norm1(tokens) * (1.0 + ff_scale))
        return torch.addcmul(tokens, ff_gate.tanh(), self.ffn_norm2(update))


class _Attention(nn.Module):
    """Attention of all tokens with rotary positions and norms of queries and keys."""

    def __init__(self, config: NextDiTConfig) -> None:
        super().__init__()
        self.head, heads = config.head, config.width // config.head
        self.rows = [heads * self.head, *[config.key_heads * self.head] * 2]
        self.qkv = Linear(config.width, sum(self.rows), bias=False)
        self.out = Linear(heads * self.head, config.width, bias=False)
        self.q_norm = nn.RMSNorm(self.head, eps=HEAD_EPSILON)
        self.k_norm = nn.RMSNorm(self.head, eps=HEAD_EPSILON)

    def forward(self, tokens: Tensor, table: Tensor) -> Tensor:
        """Tokens [B, N, D], their rotations [N, head / 2, 2] -> [B, N, D]."""
        query, key, value = (
            each.unflatten(-1, (-1, self.head))
            for each in self.qkv(tokens).split(self.rows, dim=-1)
        )
        return self.out(attend_heads(self.q_norm(query), self.k_norm(key), value, table))


class _FeedForward(nn.Module):
    """A projection gated by another through SiLU (SwiGLU, Shazeer 2020), and one back."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.w1 = Linear(width, inner, bias=False)
        self.w2 = Linear(inner, width, bias=False)
        self.w3 = Linear(width, inner, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, D] -> [B, N, D]."""
        return self.w2(functional.silu(self.w1(tokens)).mul_(self.w3(tokens)))


class _TimeEmbedder(nn.Module):
    """The time as the vector that modulates."""

    def __init__(self, config: NextDiTConfig) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            Linear(TIME_CHANNELS, config.time_inner),
            nn.SiLU(),
            Linear(config.time_inner, config.time),
        )

    def forward(self, time: Tensor, dtype: torch.dtype) -> Tensor:
        """Time [B] in float32 -> [B, time] in `dtype`."""
        return self.mlp(timestep_embedding(time, TIME_CHANNELS).to(dtype))


class _Final(nn.Module):
    """Tokens as the values of their patches (row, column, channel)."""

    def __init__(self, config: NextDiTConfig) -> None:
        super().__init__()
        self.linear = Linear(config.width, PATCH**2 * config.channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), Linear(config.time, config.width))

    def forward(self, tokens: Tensor, vec: Tensor) -> Tensor:
        """Tokens [B, N, D], vec [B, time] -> [B, N, values]."""
        return self.linear(normalised(tokens) * (1.0 + self.adaLN_modulation(vec)[:, None]))


def _layers(config: NextDiTConfig, count: int, *, modulated: bool = True) -> nn.ModuleList:
    return nn.ModuleList(Layer(config, modulated=modulated) for _ in range(count))


def _modulation(config: NextDiTConfig, outputs: int) -> nn.Sequential:
    projection = Linear(config.time, outputs)
    return nn.Sequential(nn.SiLU(), projection) if config.activated else nn.Sequential(projection)
