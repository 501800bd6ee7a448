"""The interface of text encoders, and the values between their steps.

Tokenising and encoding are two steps, because callers use the tokens in between.
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
"""Chunks of tokens, each of the length that the encoder requires."""


@dataclass(frozen=True, slots=True)
class TextStyle:
    """The settings with which a family uses an encoder.

    Attributes:
        layer: whose output is the conditioning unless a user chose another; -1 is the last.
        normalised: whether the final layer norm is applied to that output too.
        projected: whether the pooled output is multiplied by the encoder's projection, if it has
            one.
    """

    layer: int = -1
    normalised: bool = True
    projected: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """The result of encoding a prompt, float32 on the CPU.

    Attributes:
        states: [1, T, D], weighted.
        pooled: [1, D], one vector for the whole prompt; None for encoders without such an output.
        mask: [1, T], 1 where a token counts; None where all do.
    """

    states: Tensor
    pooled: Tensor | None = None
    mask: Tensor | None = None


class TextEncoder(Protocol):
    """One kind of text encoder. `Config` is its own frozen dataclass, opaque to callers."""

    @property
    def name(self) -> str:
        """The name used in files, embeddings and families: `clip_l`, `clip_g` ..."""
        ...

    @property
    def title(self) -> str:
        """The name shown to users."""
        ...

    @property
    def file_prefix(self) -> str:
        """The prefix of its tensors in a separate file that is saved."""
        ...

    def detect(self, weights: StateDict) -> Any | None:
        """The configuration if a separate file's tensors are this encoder's; None if not.

        Raises `WeightsError` if they are, but incomplete.
        """
        ...

    def config(self, tensors: StateDict) -> Any:
        """The sizes, from tensors known to be this encoder's, under the module's names."""
        ...

    def tensors(self, weights: StateDict) -> StateDict:
        """The tensors under the module's names, from any layout of `weights`."""
        ...

    def build(self, config: Any) -> nn.Module:
        """The module, on the current default device."""
        ...

    def width(self, config: Any) -> int:
        """The length of a token's vector, which textual inversions must match."""
        ...

    def tokenize(self, config: Any, text: str, embeddings: Embeddings | None) -> Tokens:
        """The tokens of a prompt; `embeddings` finds textual inversions by name."""
        ...

    def empty(self, config: Any) -> Sequence[WeightedToken]:
        """The chunk of an empty prompt."""
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
        """Encode tokens; `layer` is a user's clip skip, -1, -2 ...; None: the style's layer."""
        ...

    def activation_bytes(self, config: Any, tokens: Tokens, dtype_bytes: int) -> int:
        """An upper estimate of the memory that encoding needs beside the weights."""
        ...
