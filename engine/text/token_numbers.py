"""The numbers of T5's tokens as an encoding of their own, for models that look them up themselves.

Anima takes them beside the states of a language model. There are no weights: the tokenizer is part
of this program.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from engine.text.encoder import PLAIN, Checkpoint, Encoded, TextStyle, Tokens
from engine.text.t5 import END
from engine.text.tokenizer_files import TokenizerSource, tokenizer_of
from engine.text.tokens import Embeddings, Picture, WeightedToken, grouped
from engine.weights.state_dict import StateDict


class NoWeights(nn.Module):
    """The module of an encoder without weights."""


class TokenNumbers:
    """See `engine.text.encoder.TextEncoder`."""

    name = "t5_tokens"
    title = "T5's tokens"
    file_prefix = ""
    takes_pictures = False

    def detect(self, weights: StateDict) -> None:
        """None: it has no file."""
        del weights

    def config(self, tensors: StateDict) -> TokenizerSource:
        """The tokenizer."""
        wanted = "spiece.model of google/t5-v1_1-xxl (huggingface.co)"
        return tokenizer_of(tensors, self.name, shipped="t5", wanted=wanted)

    def tensors(self, weights: StateDict) -> StateDict:
        """None of them."""
        del weights
        return StateDict({})

    def build(self, config: TokenizerSource) -> nn.Module:
        """See `NoWeights`."""
        del config
        return NoWeights()

    def width(self, config: TokenizerSource) -> int:
        """No vector is as wide: textual inversions are not for it."""
        del config
        return 0

    def tokenize(
        self,
        config: TokenizerSource,
        text: str,
        embeddings: Embeddings | None,
        *,
        style: TextStyle = PLAIN,
        pictures: Sequence[Picture] = (),
    ) -> Tokens:
        """One chunk of any length with its end."""
        del pictures, embeddings
        groups = grouped(config.get(), text, embeddings=None, weighted=style.weighted)
        tokens: list[WeightedToken] = [(each, weight) for group, weight in groups for each in group]
        return [[*tokens, (END, 1.0)]]

    def empty(self, config: TokenizerSource, style: TextStyle = PLAIN) -> Sequence[WeightedToken]:
        """The end alone."""
        del config, style
        return [(END, 1.0)]

    def encode(
        self,
        module: nn.Module,
        tokens: Tokens,
        *,
        style: TextStyle,
        layer: int | None,
        checkpoint: Checkpoint,
    ) -> Encoded:
        """The numbers as states [1, T, 1]; pooled [1, T] are the weights of the tokens."""
        del module, style, layer, checkpoint
        pairs = [pair for chunk in tokens for pair in chunk]
        numbers = [token if isinstance(token, int) else END for token, _ in pairs]
        weights = torch.tensor([[weight for _, weight in pairs]], device="cpu")
        states = torch.tensor([numbers], dtype=torch.float32, device="cpu")[..., None]
        return Encoded(states, weights)

    def activation_bytes(self, config: TokenizerSource, tokens: Tokens, dtype_bytes: int) -> int:
        """Nothing worth counting."""
        del config, tokens, dtype_bytes
        return 0


T5_TOKENS = TokenNumbers()
