"""The "text encoder" of class-conditional models: a class number to its vector.

The prompt is the number of a class, as `207`; an empty one is no class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from engine.errors import NodeError, WeightsError
from engine.text.encoder import PLAIN, Checkpoint, Encoded, TextStyle, Tokens
from engine.text.tokens import Embeddings, Picture, WeightedToken
from engine.weights.state_dict import StateDict

MARK = "embedding.weight"
MOST_CLASSES = 1_000_000
"""Bounds the size of a table that is made before any weight is read."""


@dataclass(frozen=True, slots=True)
class ClassLabelsConfig:
    """The sizes of one table.

    Attributes:
        classes: rows of the table; the last one is no class, for the negative.
        channels: of a vector.
    """

    classes: int
    channels: int


class ClassTable(nn.Module):
    """The table of vectors."""

    def __init__(self, config: ClassLabelsConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.classes, config.channels)

    def forward(self, numbers: Tensor) -> Tensor:
        """[B, T] -> [B, T, D]."""
        return self.embedding(numbers)


class ClassLabels:
    """See `engine.text.encoder.TextEncoder`, which this implements."""

    name = "classes"
    title = "class labels"
    file_prefix = ""
    takes_pictures = False

    def detect(self, weights: StateDict) -> ClassLabelsConfig | None:
        """The configuration of a separate file, which holds the table alone."""
        return self.config(weights) if list(weights) == [MARK] else None

    def config(self, tensors: StateDict) -> ClassLabelsConfig:
        """The sizes. Raises `WeightsError` if it is no table."""
        shape = tensors.shape(MARK) or ()
        if len(shape) != 2 or not 2 <= shape[0] <= MOST_CLASSES or not shape[1]:
            raise WeightsError(
                f"not a table of classes: {MARK} should be a matrix of two rows or more, found the "
                f"shape {list(shape)}"
            )
        return ClassLabelsConfig(*shape)

    def tensors(self, weights: StateDict) -> StateDict:
        """The table."""
        return weights.rename(lambda name: name if name == MARK else None)

    def build(self, config: ClassLabelsConfig) -> nn.Module:
        """The module, on the current default device."""
        return ClassTable(config).eval()

    def width(self, config: ClassLabelsConfig) -> int:
        """The length of a vector."""
        return config.channels

    def tokenize(
        self,
        config: ClassLabelsConfig,
        text: str,
        embeddings: Embeddings | None,
        *,
        style: TextStyle = PLAIN,
        pictures: Sequence[Picture] = (),
    ) -> Tokens:
        """One token, the class.

        Raises:
            NodeError: the text is no number of a class.
        """
        del embeddings, style, pictures
        written = text.strip()
        if not written:
            return [self.empty(config)]
        if not (written.isdecimal() and len(written) < 10 and int(written) < config.classes):
            raise NodeError(
                f"this model knows classes by number, not words: found {written[:50]!r}, expected "
                f"a number from 0 to {config.classes - 2}, or nothing (or {config.classes - 1}) "
                "for no class"
            )
        return [[(int(written), 1.0)]]

    def empty(self, config: ClassLabelsConfig, style: TextStyle = PLAIN) -> Sequence[WeightedToken]:
        """No class: the last one."""
        del style
        return [(config.classes - 1, 1.0)]

    def encode(
        self,
        module: nn.Module,
        tokens: Tokens,
        *,
        style: TextStyle,
        layer: int | None,
        checkpoint: Checkpoint,
    ) -> Encoded:
        """States [1, 1, D]; there is no pooled output, and one layer."""
        del style, layer
        checkpoint()
        numbers = torch.tensor([[token for token, _ in chunk] for chunk in tokens])
        states = cast("ClassTable", module)(numbers).float().cpu()
        return Encoded(states.reshape(1, -1, states.shape[-1]))

    def activation_bytes(self, config: ClassLabelsConfig, tokens: Tokens, dtype_bytes: int) -> int:
        """One vector."""
        del tokens
        return config.channels * dtype_bytes


CLASS_LABELS = ClassLabels()
