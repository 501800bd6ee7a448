"""The interface of text encoders, and the values between their steps.

Tokenising and encoding are two steps, because callers use the tokens in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from engine.text.quoted import Quotations
from engine.text.tokens import Embeddings, Picture, WeightedToken
from engine.weights.state_dict import StateDict

Checkpoint = Callable[[], None]
Tokens = Sequence[Sequence[WeightedToken]]
"""Chunks of tokens, each of the length that the encoder requires."""
TOKENIZER_TENSORS = frozenset({"spiece_model", "tekken_model"})
"""Names of tensors that hold a tokenizer's file as bytes, in the place of weights."""


@dataclass(frozen=True, slots=True)
class TextStyle:
    """The settings with which a family uses an encoder.

    Attributes:
        layer: whose output is the conditioning unless a user chose another; -1 is the last.
        normalised: whether the final layer norm is applied to that output too.
        last_normalised: whether it is applied to the output of the last layer, where others are
            taken as they are.
        projected: whether the pooled output is multiplied by the encoder's projection, if it has
            one.
        layers: several outputs side by side instead of `layer`, each named by the number of layers
            that it has passed: (10, 20, 30).
        template: what a prompt is written into, in the place of `{}`; language models only. A
            prompt that begins with `<|im_start|>` brings its own.
        picture_template: the same for a prompt with pictures; None: the same one.
        only_after_template: whether states of the tokens before the prompt are left out.
        only_after_system: whether states of the template's first turn are left out.
        left_out: the number of states at the beginning that are left out, of a template that has
            always so many tokens there.
        shortest: the number of tokens that a prompt is padded to at least; not for CLIP.
        multiple: a language model's prompt is padded to a multiple of so many tokens.
        padding_place: the position of all padding of a language model; None: it counts on.
        padding: the number of tokens of padding after every prompt, for T5.
        masked: whether padding is left out of the attention, and the mask returned.
        weighted: whether `(word:1.2)` is a weight; else it is ordinary text.
        if_empty: what stands in a language model's template for an empty prompt.
        quoted: only these quotations of a prompt are encoded; None: all of it.
        from_padding: whether weights move a state from that of padding alone (as PixArt and Chroma
            use T5), else from that of an empty prompt.
    """

    layer: int = -1
    normalised: bool = True
    last_normalised: bool = False
    projected: bool = False
    layers: tuple[int, ...] = ()
    template: str = "{}"
    picture_template: str | None = None
    only_after_template: bool = False
    only_after_system: bool = False
    left_out: int = 0
    shortest: int = 0
    multiple: int = 1
    padding_place: int | None = None
    padding: int = 0
    masked: bool = False
    weighted: bool = True
    from_padding: bool = False
    if_empty: str = ""
    quoted: Quotations | None = None

    def normalises(self, passed: int, layers: int) -> bool:
        """Whether the norm is applied to states that have passed so many of so many layers."""
        return self.normalised or (self.last_normalised and passed == layers)


PLAIN = TextStyle()


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """The result of encoding a prompt, float32 on the CPU.

    Attributes:
        states: [1, T, D], weighted.
        pooled: [1, D], one vector for the whole prompt; None for encoders without such an output.
        mask: [1, T], 1 where a token counts; None where all do.
        pictures: the first state of each picture of the prompt, and the one behind its last.
    """

    states: Tensor
    pooled: Tensor | None = None
    mask: Tensor | None = None
    pictures: tuple[tuple[int, int], ...] = ()


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
        """The sizes, from tensors known to be this encoder's, under the module's names.

        `tensors` may hold a tokenizer beside the weights, see `TOKENIZER_TENSORS`.
        """
        ...

    def tensors(self, weights: StateDict) -> StateDict:
        """The tensors under the module's names, from any layout of `weights`.

        A tokenizer in the file stays, under its own name, see `TOKENIZER_TENSORS`.
        """
        ...

    def build(self, config: Any) -> nn.Module:
        """The module, on the current default device."""
        ...

    def width(self, config: Any) -> int:
        """The length of a token's vector, which textual inversions must match."""
        ...

    @property
    def takes_pictures(self) -> bool:
        """Whether a prompt may contain pictures."""
        ...

    def tokenize(
        self,
        config: Any,
        text: str,
        embeddings: Embeddings | None,
        *,
        style: TextStyle = PLAIN,
        pictures: Sequence[Picture] = (),
    ) -> Tokens:
        """The tokens of a prompt; no chunks if nothing of it is encoded.

        Args:
            config: of the encoder.
            text: the prompt, without template.
            embeddings: finds textual inversions by name.
            style: the family's.
            pictures: of the prompt, in order; none for an encoder that takes none.

        Raises:
            WeightsError: the tokenizer is not found; the message says which file to put where.
        """
        ...

    def empty(self, config: Any, style: TextStyle = PLAIN) -> Sequence[WeightedToken]:
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
