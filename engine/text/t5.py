"""T5's encoders (XXL version 1.1, UMT5, pile-T5, ByT5): prompts to states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import nn

from engine.text import gguf_names
from engine.text.encoder import (
    PLAIN,
    TOKENIZER_TENSORS,
    Checkpoint,
    Encoded,
    TextStyle,
    Tokens,
)
from engine.text.t5_network import MARK, T5Config, T5Text, t5_config
from engine.text.token_vectors import fitting, moved, vectors, weights_of
from engine.text.tokenizer_files import TokenizerSource, tokenizer_of
from engine.text.tokens import Embeddings, Picture, WeightedToken, grouped
from engine.tokenizer_sources import SOURCES
from engine.weights.state_dict import StateDict

PREFIXES = ("", "transformer.", "text_encoders.t5xxl.transformer.", "t5xxl.transformer.")
PARTS = ("shared.", "encoder.")
END, PAD = 1, 0
LARGE_VOCABULARY = 200_000
"""UMT5 has 256,384 tokens, the others 32,128."""
BASE_CHANNELS = 768
BYTES = 3_000
"""ByT5 has fewer tokens: 384, and those for fonts and colours that Glyph-SDXL added."""


@dataclass(frozen=True, slots=True)
class T5Setup:
    """The configuration of one file: the network's sizes, and where its tokenizer is."""

    sizes: T5Config
    tokenizer: TokenizerSource = field(compare=False)

    @property
    def layers(self) -> int:
        """The number of layers."""
        return self.sizes.layers


@dataclass(frozen=True, slots=True)
class T5Encoder:
    """One of T5's encoders, see `engine.text.encoder.TextEncoder`.

    Attributes:
        name, title: see the protocol.
        is_this: whether a network of these sizes is this encoder.
        shipped: the name of the tokenizer that is part of this program; None if it is not.
        tokenizer_file: which file to get if there is no tokenizer, for messages.
        end, pad: the tokens that end a prompt and that fill.
    """

    name: str
    title: str
    is_this: Callable[[T5Config], bool]
    shipped: str | None
    tokenizer_file: str
    end: int = END
    pad: int = PAD
    file_prefix: str = ""
    takes_pictures: bool = False

    def detect(self, weights: StateDict) -> T5Setup | None:
        """The configuration of a file whose sizes are this encoder's."""
        found = find_tensors(weights)
        if found is None:
            return None
        config = self.config(found)
        return config if self.is_this(config.sizes) else None

    def config(self, tensors: StateDict) -> T5Setup:
        """The sizes. Raises `WeightsError` if a tensor is missing."""
        source = tokenizer_of(tensors, self.name, shipped=self.shipped, wanted=self.tokenizer_file)
        return T5Setup(t5_config(tensors.shapes), source)

    def tensors(self, weights: StateDict) -> StateDict:
        """The tensors under the module's names."""
        found = find_tensors(weights)
        if found is None:
            raise ValueError("these are no tensors of a T5 text encoder")
        return found

    def build(self, config: T5Setup) -> nn.Module:
        """The module, on the current default device."""
        return T5Text(config.sizes).eval()

    def width(self, config: T5Setup) -> int:
        """The width of the layers."""
        return config.sizes.channels

    def tokenize(
        self,
        config: T5Setup,
        text: str,
        embeddings: Embeddings | None,
        *,
        style: TextStyle = PLAIN,
        pictures: Sequence[Picture] = (),
    ) -> Tokens:
        """One chunk of any length, ended and padded to the style's shortest.

        None if the style wants what is in quotation marks, and there is nothing.
        """
        del pictures
        if style.quoted:
            text = style.quoted.of(text)
            if not text:
                return []
        found = fitting(embeddings, config.sizes.channels) if embeddings else None
        groups = grouped(config.tokenizer.get(), text, embeddings=found, weighted=style.weighted)
        tokens: list[WeightedToken] = [(each, weight) for group, weight in groups for each in group]
        tokens += [(self.end, 1.0), *[(self.pad, 1.0)] * style.padding]
        return [padded(tokens, style.shortest, self.pad)]

    def empty(self, config: T5Setup, style: TextStyle = PLAIN) -> Sequence[WeightedToken]:
        """The chunk of an empty prompt."""
        del config
        return padded([(self.end, 1.0)], style.shortest, self.pad)

    def encode(
        self,
        module: nn.Module,
        tokens: Tokens,
        *,
        style: TextStyle,
        layer: int | None,
        checkpoint: Checkpoint,
    ) -> Encoded:
        """States [1, T, D] of all chunks in a row; there is no pooled output.

        A weight moves a token's state away from, or towards, the state of the empty prompt (or of
        padding, see `TextStyle`) at the same place.
        """
        t5 = cast("T5Text", module)
        weights = weights_of(tokens)
        longest = max(len(chunk) for chunk in tokens)
        chunks = [padded(chunk, longest, self.pad) for chunk in tokens]
        if weights is not None:
            empty = [] if style.from_padding else [(self.end, 1.0)]
            chunks.append(padded(empty, longest, self.pad))
        mask = attended(chunks, self.end) if style.masked else None
        states = t5.states(
            vectors(t5.vectors, chunks, self.pad),
            style.layer if layer is None else layer,
            checkpoint,
            mask=None if mask is None else mask.to(torch.get_default_device()),
            normalised=style.normalised,
        )
        states = states.float().cpu()
        if weights is not None:
            states = moved(states[:-1], states[-1:], weights)
        count = len(tokens)
        kept = None if mask is None else mask[:count].reshape(1, -1).cpu()
        return Encoded(states.reshape(1, -1, states.shape[-1]), mask=kept)

    def activation_bytes(self, config: T5Setup, tokens: Tokens, dtype_bytes: int) -> int:
        """Bytes of a few tensors of the feed-forward width, and of scores and their biases."""
        longest = max(len(chunk) for chunk in tokens)
        cells = (len(tokens) + 1) * longest
        sizes = config.sizes
        wide = 4 * sizes.feed_forward + 8 * sizes.channels
        return cells * (wide + 4 * sizes.heads * longest) * max(dtype_bytes, 4)


def padded(chunk: Sequence[WeightedToken], length: int, pad: int = PAD) -> list[WeightedToken]:
    """A chunk with padding up to a length."""
    return [*chunk, *[(pad, 1.0)] * (length - len(chunk))]


def attended(chunks: Tokens, end: int = END) -> torch.Tensor:
    """The mask [chunks, T]: 1 up to the first end token, 0 after it."""
    rows: list[list[int]] = []
    for chunk in chunks:
        ends = (i for i, (token, _) in enumerate(chunk) if isinstance(token, int) and token == end)
        count = next(ends, len(chunk) - 1) + 1
        rows.append([1] * count + [0] * (len(chunk) - count))
    return torch.tensor(rows, device="cpu")


def find_tensors(weights: StateDict) -> StateDict | None:
    """The encoder's tensors under the module's names, and its tokenizer; None without one.

    Raises:
        WeightsError: one of them is empty.
    """
    weights = gguf_names.t5(weights)
    for prefix in PREFIXES:
        if f"{prefix}{MARK}" in weights:
            return _renamed(weights, prefix).refuse_empty()
    return None


def _renamed(weights: StateDict, prefix: str) -> StateDict:
    twice = f"{prefix}shared.weight" in weights

    def name(theirs: str) -> str | None:
        if theirs in TOKENIZER_TENSORS:
            return theirs
        short = theirs.removeprefix(prefix)
        if not theirs.startswith(prefix) or not short.startswith(PARTS):
            return short if short in TOKENIZER_TENSORS else None
        if short == "encoder.embed_tokens.weight":
            return None if twice else "shared.weight"
        return short

    return weights.rename(name)


def _is_umt5(sizes: T5Config) -> bool:
    return sizes.vocabulary >= LARGE_VOCABULARY


def _is_pile(sizes: T5Config) -> bool:
    return sizes.each and not _is_umt5(sizes)


def _is_base(sizes: T5Config) -> bool:
    return sizes.channels == BASE_CHANNELS and not sizes.each


def _is_bytes(sizes: T5Config) -> bool:
    return sizes.vocabulary < BYTES


def _is_xxl(sizes: T5Config) -> bool:
    others = (_is_umt5, _is_pile, _is_base, _is_bytes)
    return not any(is_other(sizes) for is_other in others)


T5XXL = T5Encoder(
    "t5xxl", "T5 XXL", _is_xxl, "t5", "spiece.model of google/t5-v1_1-xxl (huggingface.co)"
)
UMT5XXL = T5Encoder("umt5xxl", "UMT5 XXL", _is_umt5, None, SOURCES["umt5xxl"].wanted)
PILE_T5XL = T5Encoder(
    "pile_t5xl",
    "pile-T5 XL",
    _is_pile,
    None,
    SOURCES["pile_t5xl"].wanted,
    end=2,
    pad=1,
)
"""Its tokenizer is Llama's, whose last token is 2."""
T5_BASE = T5Encoder("t5_base", "T5 base", _is_base, "t5", T5XXL.tokenizer_file)
BYT5_SMALL = T5Encoder(
    "byt5_small", "ByT5 small for glyphs", _is_bytes, "bytes", "no file: its tokens are bytes"
)
"""The one that Glyph-SDXL version 2 trained on rendered text."""
