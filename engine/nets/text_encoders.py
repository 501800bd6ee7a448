"""CLIP text encoders, built as `transformers` modules, and how prompts run through them.

Sizes are read from tensor shapes. Names of weights are those of `transformers`' CLIPTextModel:
`embeddings.token_embedding.weight`, `encoder.layers.i...`, `final_layer_norm.weight`. Knows no file
and no family.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.nets.tokens import (
    CLIP_L_CHUNKS,
    END,
    ChunkFormat,
    Embeddings,
    WeightedToken,
    clip_tokenizer,
    tokenize,
)

Shapes = Mapping[str, tuple[int, ...]]
Checkpoint = Callable[[], None]


@dataclass(frozen=True, slots=True)
class ClipTextConfig:
    """Every size of one CLIP text encoder, and its activation.

    Attributes:
        vocabulary, positions: rows of the two embeddings.
        channels, feed_forward: widths of the layers and between their two projections.
        layers, heads: of the transformer.
        activation: `quick_gelu` (CLIP L) or `gelu` (OpenCLIP), as transformers names them.
    """

    vocabulary: int
    positions: int
    channels: int
    feed_forward: int
    layers: int
    heads: int
    activation: str


MOST_POSITIONS = 4096
"""CLIP has 77 and its longest relative 248; a table is made of them before any weight is read."""


def clip_text_config(
    shapes: Shapes, *, head_channels: int = 64, activation: str = "quick_gelu"
) -> ClipTextConfig:
    """The configuration read off tensor shapes; heads and activation leave no trace in them.

    Raises:
        WeightsError: a tensor is missing, or the width does not split into heads.
    """
    vocabulary, channels = _matrix(shapes, "embeddings.token_embedding.weight")
    feed_forward, _ = _matrix(shapes, "encoder.layers.0.mlp.fc1.weight")
    start = "encoder.layers."
    numbers = (key[len(start) :].split(".", 1)[0] for key in shapes if key.startswith(start))
    if channels % head_channels or not channels:
        raise WeightsError(
            f"not a CLIP text encoder that works: {channels} channels do not split into heads of "
            f"{head_channels}"
        )
    positions, _ = _matrix(shapes, "embeddings.position_embedding.weight")
    if positions > MOST_POSITIONS:
        raise WeightsError(
            f"not a CLIP text encoder that works: it claims {positions:,} positions; "
            f"up to {MOST_POSITIONS:,} are read"
        )
    return ClipTextConfig(
        vocabulary=vocabulary,
        positions=positions,
        channels=channels,
        feed_forward=feed_forward,
        layers=max(int(n) + 1 for n in numbers if n.isdecimal() and len(n) < 4),
        heads=channels // head_channels,
        activation=activation,
    )


def _matrix(shapes: Shapes, key: str) -> tuple[int, int]:
    shape = shapes.get(key)
    if shape is None or len(shape) != 2:
        found = "no such tensor" if shape is None else f"shape {list(shape)}"
        raise WeightsError(
            f"not a complete CLIP text encoder: {key} should be a matrix, found {found}"
        )
    return shape[0], shape[1]


def build_clip_text(config: ClipTextConfig) -> nn.Module:
    """The module on the current default device, its weights not yet read."""
    # Seconds to import, and only a run that encodes a prompt needs it.
    from transformers import CLIPTextConfig, CLIPTextModel  # noqa: PLC0415

    module = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=config.vocabulary,
            hidden_size=config.channels,
            intermediate_size=config.feed_forward,
            projection_dim=config.channels,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            max_position_embeddings=config.positions,
            hidden_act=config.activation,
            bos_token_id=config.vocabulary - 2,
            eos_token_id=config.vocabulary - 1,
        )
    )
    # No checkpoint is asked for this one, so it must not stay on the meta device.
    positions = torch.arange(config.positions, device="cpu")[None]
    module.embeddings.position_ids = nn.Buffer(positions, persistent=False)
    return module.eval()


class ClipText(Protocol):
    """What is used of `transformers`' CLIPTextModel."""

    embeddings: Any
    encoder: Any
    final_layer_norm: nn.Module


@dataclass(frozen=True, slots=True)
class TextStyle:
    """What families do differently with the same encoder.

    Attributes:
        layer: whose output is the conditioning if a user asked for no other; -1 is the last.
        normalised: the final layer norm is applied to that output too.
        chunks: length and padding of a chunk.
    """

    layer: int = -1
    normalised: bool = True
    chunks: ChunkFormat = CLIP_L_CHUNKS


def encode_prompt(
    encoder: nn.Module,
    text: str,
    *,
    style: TextStyle | None = None,
    layer: int | None = None,
    embeddings: Embeddings | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[Tensor, dict[str, Any]]:
    """A prompt in the users' syntax to conditioning.

    Args:
        encoder: from `build_clip_text`, its weights in place.
        text: weights, escapes, `embedding:name` and any length; see `tokens.py`.
        style: the family's habits.
        layer: clip skip, -1, -2 ...; None leaves it to the style.
        embeddings: finds textual inversions by name.
        checkpoint: called before every layer; may raise.

    Token numbers are made on torch's current default device, which is to be the encoder's: its
    weights may lie elsewhere until it runs.

    Returns:
        `[1, 77 * chunks, D]` and `{"pooled_output": [1, D]}`, float32 on the CPU. Pooled is the
        last layer, normalised, at the end of the first chunk; no projection is applied.
    """
    style = style or TextStyle()
    clip = cast("ClipText", encoder)
    width = clip.embeddings.token_embedding.weight.shape[1]
    fitting = _fitting(embeddings, width) if embeddings else None
    chunks = tokenize(clip_tokenizer(), text, embeddings=fitting, chunks=style.chunks)
    weights = torch.tensor([[weight for _, weight in chunk] for chunk in chunks], device="cpu")
    weighted = bool((weights != 1).any())
    if weighted:
        chunks = [*chunks, *tokenize(clip_tokenizer(), "", chunks=style.chunks)]

    states, last = _run(clip, chunks, style, layer, checkpoint or _nothing)
    end = next(
        i for i, (token, _) in enumerate(chunks[0]) if isinstance(token, int) and token == END
    )
    pooled = last[:1, end].float().cpu()
    states = states.float().cpu()
    if weighted:
        # A weight moves a token away from, or towards, what nothing would have said in its place.
        states, empty = states[:-1], states[-1:]
        moved = (states - empty) * weights[..., None] + empty
        states = torch.where(weights[..., None] == 1, states, moved)
    return states.reshape(1, -1, states.shape[-1]), {"pooled_output": pooled}


def _fitting(embeddings: Embeddings, width: int) -> Embeddings:
    """Leave out embeddings made for an encoder of another width, as for another family."""

    def find(name: str) -> Tensor | None:
        found = embeddings(name)
        if found is not None and found.shape[-1] != width:
            logging.getLogger(__name__).warning(
                "embedding:%s is left out: its vectors have %d numbers, this text encoder takes %d",
                name,
                found.shape[-1],
                width,
            )
            return found[..., :0].reshape(0, width)
        return found

    return find


def _run(
    clip: ClipText,
    chunks: Sequence[Sequence[WeightedToken]],
    style: TextStyle,
    layer: int | None,
    checkpoint: Checkpoint,
) -> tuple[Tensor, Tensor]:
    """(states of the wanted layer, normalised states of the last one), each [chunks, T, D]."""
    layers = clip.encoder.layers
    wanted = style.layer if layer is None else layer
    wanted = len(layers) + wanted if wanted < 0 else wanted
    wanted = min(max(wanted, 0), len(layers) - 1)
    states = _embedded(clip, chunks)
    chosen = states
    for number, block in enumerate(layers):
        checkpoint()
        states = block(states, None, is_causal=True)
        if number == wanted:
            chosen = states
    last = clip.final_layer_norm(states)
    if not style.normalised:
        return chosen, last
    return (last if chosen is states else clip.final_layer_norm(chosen)), last


def _embedded(clip: ClipText, chunks: Sequence[Sequence[WeightedToken]]) -> Tensor:
    """Tokens and embeddings' vectors to [chunks, T, D], positions added."""
    numbers = torch.tensor(
        [[token if isinstance(token, int) else END for token, _ in chunk] for chunk in chunks]
    )
    vectors = clip.embeddings.token_embedding(numbers)
    for i, chunk in enumerate(chunks):
        for j, (token, _) in enumerate(chunk):
            if not isinstance(token, int):
                vectors[i, j] = token.to(vectors)
    positions = torch.arange(numbers.shape[1])[None]
    return clip.embeddings(inputs_embeds=vectors, position_ids=positions)


def _nothing() -> None:
    pass
