"""What text encoders share: vectors in place of tokens, and the weights of tokens."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from engine.text.encoder import Tokens
from engine.text.tokens import Embeddings


def vectors(table: Callable[[Tensor], Tensor], chunks: Tokens, placeholder: int) -> Tensor:
    """Tokens and embeddings' vectors to [chunks, T, D].

    Token numbers are created on torch's current default device, which must be the encoder's.

    Args:
        table: from token numbers [chunks, T] to their vectors.
        chunks: of equal length.
        placeholder: a token number in place of embeddings, whose vectors replace its own.
    """
    rows = [[each if isinstance(each, int) else placeholder for each, _ in row] for row in chunks]
    numbers = torch.tensor(rows)
    found = table(numbers)
    for i, chunk in enumerate(chunks):
        for j, (token, _) in enumerate(chunk):
            if isinstance(token, Tensor):
                found[i, j] = token.to(found)
    return found


def weights_of(tokens: Tokens) -> Tensor | None:
    """The tokens' weights [chunks, T], on the CPU; None if all are 1."""
    found = torch.tensor([[weight for _, weight in chunk] for chunk in tokens], device="cpu")
    return found if bool((found != 1).any()) else None


def moved(states: Tensor, empty: Tensor, weights: Tensor) -> Tensor:
    """States [chunks, T, D] moved by their weights away from those of the empty prompt, or towards.

    `empty` [1, T, D] are the states of the empty prompt at the same places.
    """
    changed = (states - empty) * weights[..., None] + empty
    return torch.where(weights[..., None] == 1, states, changed)


def fitting(embeddings: Embeddings, width: int) -> Embeddings:
    """Leave out embeddings of another width, which were made for another encoder."""

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
