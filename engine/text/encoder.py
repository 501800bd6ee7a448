"""What every text encoder can do, and the values between its steps. Knows no family and no file.

Tokenising and encoding are two steps, because callers look at tokens in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from engine.text.tokens import Embeddings, WeightedToken
from engine.weights.state_dict import StateDict

Checkpoint = Callable[[], None]
Tokens = Sequence[Sequence[WeightedToken]]
"""Chunks of tokens, each as long as the encoder wants it."""


@dataclass(frozen=True, slots=True)
class TextStyle:
    """What families do differently with the same encoder.

    Attributes:
        layer: whose output is the conditioning if a user asked for no other; -1 is the last.
        normalised: the final layer norm is applied to that output too.
        projected: the pooled output goes through the encoder's projection, where it has one.
    """

    layer: int = -1
    normalised: bool = True
    projected: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What an encoder makes of a prompt, float32 on the CPU.

    Attributes:
        states: [1, T, D], weighted.
        pooled: [1, D], the prompt as a whole; None for encoders that have no such output.
        mask: [1, T], 1 where a token counts; None where all do.
    """

    states: Tensor
    pooled: Tensor | None = None
    mask: Tensor | None = None


class TextEncoder(Protocol):
    """One kind of text encoder. `Config` is its own frozen dataclass; nobody else looks inside."""

    @property
    def name(self) -> str:
        """By which files, embeddings and families call it: `clip_l`, `clip_g` ..."""
        ...

    @property
    def title(self) -> str:
        """For people."""
        ...

    def detect(self, weights: StateDict) -> Any | None:
        """The configuration, if tensors of a file of its own are this encoder's; None if not.

        Raises `WeightsError` if they are, but incomplete.
        """
        ...

    def config(self, tensors: StateDict) -> Any:
        """The sizes of tensors that are known to be this encoder's, under the module's names."""
        ...

    def tensors(self, weights: StateDict) -> StateDict:
        """The tensors under the module's names, from whichever layout `weights` have."""
        ...

    def build(self, config: Any) -> nn.Module:
        """The module, on the current default device."""
        ...

    def width(self, config: Any) -> int:
        """Numbers of a token's vector, which textual inversions have to match."""
        ...

    def tokenize(self, config: Any, text: str, embeddings: Embeddings | None) -> Tokens:
        """A prompt in the users' syntax; `embeddings` finds textual inversions by name."""
        ...

    def empty(self, config: Any) -> Sequence[WeightedToken]:
        """A chunk that says nothing."""
        ...

    def encode(
        self,
        module: nn.Module,
        tokens: Tokens,
        *,
        style: TextStyle,
        layer: int | None,
        checkpoint: Checkpoint,
    ) -> Encoded:
        """Tokens to conditioning; `layer` is a user's clip skip, -1, -2 ...; None: the style's."""
        ...

    def activation_bytes(self, config: Any, tokens: Tokens, dtype_bytes: int) -> int:
        """An upper estimate of the memory that encoding needs beside the weights."""
        ...
