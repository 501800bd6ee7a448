"""The decoders of language models used as text encoders: Qwen2.5, Qwen3, Mistral, Gemma 2.

Grouped-query attention with rotary positions (Su et al. 2021; Ainslie et al. 2023), RMS norms and
a gated feed-forward part (Shazeer 2020). Names of weights are those of `transformers`:
`model.embed_tokens`, `model.layers.i...`, `model.norm`. Sizes are read from tensor shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import WeightsError
from engine.nets.layers import Linear
from engine.text.key_values import KeyValues
from engine.text.yarn import Llama31Stretch, Yarn

Shapes = Mapping[str, tuple[int, ...]]
MARK = "model.embed_tokens.weight"
LAYER = "model.layers.0."
HEAD_CHANNELS = 128
"""Of every model here; those with a norm for each head show it in a shape."""
FP16_MARGIN = 64.0
"""In fp16 the feed-forward part's result is computed at this fraction, or it would overflow."""
SCORE_CAP = 50.0


@dataclass(frozen=True, slots=True)
class Rotary:
    """Rotary positions.

    Attributes:
        theta: the base of the wavelengths.
        sections: how many frequencies turn with time, row and column of a picture; empty: all with
            the place in the text.
        interleaved: whether the frequencies of time, row and column alternate.
        neighbours: whether a pair is two neighbouring channels (as `llama` in GGUF files), else
            channel i and i + half.
        yarn: how they are stretched; None: they are not.
    """

    theta: float = 1_000_000.0
    sections: tuple[int, ...] = ()
    interleaved: bool = False
    neighbours: bool = False
    yarn: Yarn | Llama31Stretch | None = None


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """Every size of one decoder.

    Attributes:
        vocabulary, channels, feed_forward: rows of the embedding; widths of the states and between
            the projections.
        layers: of the transformer.
        heads, key_heads, head_channels: of the attention; keys and values have fewer heads.
        biased: whether queries, keys and values have biases.
        gemma: whether it is built as Gemma: norms after the parts of a layer too, whose weights are
            less by one; vectors scaled by the root of their width; a GELU for the gate.
        normed_heads: whether queries and keys are normalised in each head.
        epsilon: of the norms.
        rotary: the positions.
    """

    vocabulary: int
    channels: int
    feed_forward: int
    layers: int
    heads: int
    key_heads: int
    head_channels: int
    biased: bool
    normed_heads: bool
    epsilon: float
    rotary: Rotary
    gemma: bool = False


def decoder_config(
    shapes: Shapes, *, epsilon: float, rotary: Rotary, head_channels: int = HEAD_CHANNELS
) -> DecoderConfig:
    """The configuration from tensor shapes, which do not show epsilon and positions.

    `head_channels` is for models without norms in each head, whose shapes do not show it.

    Raises:
        WeightsError: a tensor is missing, or the width does not split into heads.
    """
    vocabulary, channels = _matrix(shapes, MARK)
    queries, _ = _matrix(shapes, f"{LAYER}self_attn.q_proj.weight")
    keys, _ = _matrix(shapes, f"{LAYER}self_attn.k_proj.weight")
    feed_forward, _ = _matrix(shapes, f"{LAYER}mlp.gate_proj.weight")
    of_head = shapes.get(f"{LAYER}self_attn.q_norm.weight")
    head = of_head[0] if of_head else head_channels
    if not head or not keys or queries % head or keys % head or queries % keys:
        raise WeightsError(
            f"not a language model that works: {queries} channels of queries and {keys} of keys "
            f"do not split into heads of {head}"
        )
    start = "model.layers."
    numbers = (key[len(start) :].split(".", 1)[0] for key in shapes if key.startswith(start))
    return DecoderConfig(
        vocabulary=vocabulary,
        channels=channels,
        feed_forward=feed_forward,
        layers=max(int(n) + 1 for n in numbers if n.isdecimal() and len(n) < 4),
        heads=queries // head,
        key_heads=keys // head,
        head_channels=head,
        biased=f"{LAYER}self_attn.k_proj.bias" in shapes,
        normed_heads=of_head is not None,
        epsilon=epsilon,
        rotary=rotary,
        gemma=f"{LAYER}post_feedforward_layernorm.weight" in shapes,
    )


def _matrix(shapes: Shapes, key: str) -> tuple[int, int]:
    shape = shapes.get(key)
    if shape is None or len(shape) != 2:
        found = "no such tensor" if shape is None else f"shape {list(shape)}"
        raise WeightsError(
            f"not a complete language model: {key} should be a matrix, found {found}"
        )
    return shape[0], shape[1]


class TokenTable(nn.Embedding):
    """The vectors of tokens, which also score words: a model with tied weights has no other head.

    One module for both, because weights are on the device while their module is called.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Module's name for it
        """Numbers [...] to vectors [..., D], or states [..., D] to scores [..., V]."""
        if input.is_floating_point():
            return functional.linear(input.to(self.weight.dtype), self.weight)
        return super().forward(input)


class Decoder(nn.Module):
    """`model`: token vectors to the outputs of some layers."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = TokenTable(config.vocabulary, config.channels)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.norm = _norm(config)

    def states(
        self,
        vectors: Tensor,
        wanted: Sequence[int],
        checkpoint: Callable[[], None],
        *,
        positions: Tensor,
        mask: Tensor,
        added: Mapping[int, Tensor],
        past: Sequence[KeyValues] | None = None,
    ) -> list[Tensor]:
        """The states [B, T, D] that have passed so many layers, for each of `wanted`, from 0.

        Args:
            vectors: [B, T, D].
            wanted: at most the number of layers each.
            checkpoint: called before every layer; may raise.
            positions: [3, T], time, row and column; three times the same for text.
            mask: [B, T], 1 for tokens that are attended to.
            added: what is added to the states [B, T, D] after the layer of that number.
            past: of each layer, of the tokens before these, to which these are added. Then these
                are the first ones, or one.
        """
        dtype = vectors.dtype
        if self.config.gemma:
            vectors = vectors * torch.tensor(self.config.channels**0.5, dtype=dtype).item()
        states = vectors.float() if dtype == torch.float16 else vectors
        table = rotations(positions, self.config.head_channels, self.config.rotary)
        bias = _causal(mask, dtype)
        found = {0: states}
        for number, layer in enumerate(list(self.layers)[: max(wanted)]):
            checkpoint()
            states = layer(states, table, bias, past[number] if past is not None else None)
            if number in added:
                states = states + added[number].to(states)
            if number + 1 in wanted:
                found[number + 1] = states
        return [found[count] for count in wanted]


def _causal(mask: Tensor, dtype: torch.dtype) -> Tensor | None:
    """[B, 1, T, T] for attention to the past without padding; None if nothing is padding."""
    if bool((mask != 0).all()):
        return None
    length = mask.shape[1]
    seen = torch.ones(length, length, dtype=torch.bool, device=mask.device).tril()
    seen = seen[None, None] & (mask != 0)[:, None, None]
    # A token before the first one that counts sees itself, or its row would have no finite sum.
    alone = torch.eye(length, dtype=torch.bool, device=mask.device) & ~seen.any(-1, keepdim=True)
    seen = seen | alone
    bias = torch.zeros(seen.shape, dtype=dtype, device=mask.device)
    return bias.masked_fill(~seen, torch.finfo(dtype).min)


def rotations(positions: Tensor, channels: int, rotary: Rotary) -> tuple[Tensor, Tensor]:
    """(cosines, sines) [T, channels / 2] in float32 for positions [3, T]."""
    exponents = torch.arange(0, channels, 2, dtype=torch.float32, device=positions.device)
    frequencies = rotary.theta ** -(exponents / channels)
    if rotary.yarn is not None:
        frequencies = rotary.yarn.stretched(frequencies, rotary.theta)
    angles = positions.float()[..., None] * frequencies  # [3, T, channels / 2]
    if not rotary.sections:
        return angles[0].cos(), angles[0].sin()
    half = channels // 2
    axis = torch.zeros(half, dtype=torch.long, device=positions.device)
    if rotary.interleaved:
        for number in (1, 2):
            axis[number : 3 * rotary.sections[number] : 3] = number
    else:
        ends = [sum(rotary.sections[: i + 1]) for i in range(3)]
        axis[ends[0] : ends[1]] = 1
        axis[ends[1] :] = 2
    chosen = angles.gather(0, axis.expand(1, angles.shape[1], half))[0]
    return chosen.cos(), chosen.sin()


def rotate(heads: Tensor, table: tuple[Tensor, Tensor], *, neighbours: bool = False) -> Tensor:
    """Turn pairs of channels of [B, H, T, C]."""
    cosines, sines = (each.to(heads.dtype) for each in table)
    if neighbours:
        first, second = heads[..., 0::2], heads[..., 1::2]
    else:
        first, second = heads.chunk(2, dim=-1)
    turned = first * cosines - second * sines, second * cosines + first * sines
    return torch.stack(turned, -1).flatten(-2) if neighbours else torch.cat(turned, -1)


class RootMeanSquareNorm(nn.Module):
    """Division by the root mean square, computed in float32 (Zhang and Sennrich 2019).

    `less` is what the stored weight is less by: 1 for Gemma.
    """

    def __init__(self, channels: int, epsilon: float, *, less: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.epsilon = epsilon
        self.less = less

    def forward(self, states: Tensor) -> Tensor:
        """[..., D] -> [..., D], in the dtype of the weight."""
        wide = states.float()
        wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.epsilon)
        if self.less:
            return (wide * (self.weight.float() + self.less)).to(self.weight.dtype)
        return self.weight * wide.to(self.weight.dtype)


def _norm(config: DecoderConfig) -> RootMeanSquareNorm:
    return RootMeanSquareNorm(config.channels, config.epsilon, less=1.0 if config.gemma else 0.0)


class _Layer(nn.Module):
    """Self-attention and a feed-forward part, each normalised first and added.

    Gemma's parts are normalised before they are added, too.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.gemma = config.gemma
        self.self_attn = _Attention(config)
        self.mlp = GatedFeedForward(config.channels, config.feed_forward, gelu=config.gemma)
        self.input_layernorm = _norm(config)
        self.post_attention_layernorm = _norm(config)
        if config.gemma:
            self.pre_feedforward_layernorm = _norm(config)
            self.post_feedforward_layernorm = _norm(config)

    def forward(
        self,
        states: Tensor,
        table: tuple[Tensor, Tensor],
        bias: Tensor | None,
        past: KeyValues | None = None,
    ) -> Tensor:
        """[B, T, D] -> [B, T, D]."""
        found = self.self_attn(self.input_layernorm(states), table, bias, past)
        if self.gemma:
            states = states + self.post_attention_layernorm(found)
            found = self.mlp(self.pre_feedforward_layernorm(states))
            return states + self.post_feedforward_layernorm(found)
        states = states + found
        return states + self.mlp(self.post_attention_layernorm(states))


class _Attention(nn.Module):
    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        head, width = config.head_channels, config.channels
        self.q_proj = Linear(width, config.heads * head, bias=config.biased)
        self.k_proj = Linear(width, config.key_heads * head, bias=config.biased)
        self.v_proj = Linear(width, config.key_heads * head, bias=config.biased)
        self.o_proj = Linear(config.heads * head, width, bias=False)
        if config.normed_heads:
            self.q_norm = RootMeanSquareNorm(head, config.epsilon)
            self.k_norm = RootMeanSquareNorm(head, config.epsilon)

    def forward(
        self,
        states: Tensor,
        table: tuple[Tensor, Tensor],
        bias: Tensor | None,
        past: KeyValues | None = None,
    ) -> Tensor:
        """Every token attends to itself and those before it."""
        query, key, value = (
            each(states).unflatten(-1, (-1, self.config.head_channels)).transpose(1, 2)
            for each in (self.q_proj, self.k_proj, self.v_proj)
        )
        if self.config.normed_heads:
            query, key = self.q_norm(query), self.k_norm(key)
        neighbours = self.config.rotary.neighbours
        query = rotate(query, table, neighbours=neighbours)
        key = rotate(key, table, neighbours=neighbours)
        if past is not None:
            key, value = past.extended(key, value)
        times = self.config.heads // self.config.key_heads
        if times > 1:
            key, value = (each.repeat_interleave(times, dim=1) for each in (key, value))
        if self.config.gemma:
            found = _capped(query, key, value, bias)
        else:
            found = functional.scaled_dot_product_attention(
                query, key, value, attn_mask=bias, is_causal=bias is None and query.shape[2] > 1
            )
        return self.o_proj(found.transpose(1, 2).flatten(2))


def _capped(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """Attention whose scores are bent to stay below `SCORE_CAP` (Gemma 2, 2024, section 2)."""
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    scores = (scores / SCORE_CAP).tanh() * SCORE_CAP
    if bias is None and query.shape[2] > 1:
        ones = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device)
        scores = scores.masked_fill(~ones.tril(), torch.finfo(scores.dtype).min)
    elif bias is not None:
        scores = scores + bias
    return scores.float().softmax(-1).to(value.dtype) @ value


class GatedFeedForward(nn.Module):
    """SwiGLU, or GEGLU with the approximate GELU (Shazeer 2020)."""

    def __init__(
        self, channels: int, feed_forward: int, *, bias: bool = False, gelu: bool = False
    ) -> None:
        super().__init__()
        self.gelu = gelu
        self.gate_proj = Linear(channels, feed_forward, bias=bias)
        self.up_proj = Linear(channels, feed_forward, bias=bias)
        self.down_proj = Linear(feed_forward, channels, bias=bias)

    def forward(self, states: Tensor) -> Tensor:
        """[..., D] -> [..., D]; float32 for fp16 states, whose range it exceeds."""
        gate, up = self.gate_proj(states), self.up_proj(states)
        gate = functional.gelu(gate, approximate="tanh") if self.gelu else functional.silu(gate)
        if states.dtype == torch.float16 and self.down_proj.bias is None:
            inner = gate.float() * up.float() / FP16_MARGIN
            return self.down_proj(inner.half()).float() * FP16_MARGIN
        return self.down_proj(gate * up)
