"""Language models that write: token after token, keeping what was computed for earlier ones.

The scores of the next token are changed and cut as `transformers` does it, in its order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from engine.text.decoder import LanguageModel, with_pictures
from engine.text.encoder import Checkpoint, Tokens
from engine.text.key_values import KeyValues

GEMMA_SCORE_CAP = 30.0
"""The scores of Gemma's words are bent to stay below this (Gemma 2, 2024, section 2)."""


@dataclass(frozen=True, slots=True)
class Choosing:
    """How a token is chosen.

    Attributes:
        temperature: divides the scores; None: the most likely token is taken.
        top_k: so many of the likeliest tokens are left; 0: all.
        top_p: of the likeliest, so many as have this probability together (Holtzman et al. 2020).
        min_p: those at least so likely, times the likeliest, are left (Nguyen et al. 2024).
        repetition_penalty: divides the positive scores of tokens that occurred, and multiplies the
            negative ones (Keskar et al. 2019).
        presence_penalty: is subtracted from the scores of tokens that were written.
        seed: of the choice.
    """

    temperature: float | None = None
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    seed: int = 0


def generate(
    module: nn.Module,
    tokens: Tokens,
    choosing: Choosing,
    *,
    head: nn.Module | None,
    ends: Collection[int],
    most: int,
    checkpoint: Checkpoint,
    on_token: Callable[[int], None] = lambda _: None,
) -> list[int]:
    """Continue one chunk of tokens, on torch's current default device.

    Args:
        module: of a language model.
        tokens: one chunk.
        choosing: how tokens are chosen.
        head: states [B, T, D] to scores of the words; None: the table of the tokens' vectors is.
        ends: tokens that end the text; they are not returned.
        most: tokens that are written.
        checkpoint: called before every layer; may raise.
        on_token: called after each token with the number written so far.
    """
    decoder = cast("LanguageModel", module).model
    scored = head if head is not None else decoder.embed_tokens
    vectors, places, added, _ = with_pictures(module, tokens[0], checkpoint, row_by_row=True)
    layers = decoder.config.layers
    past = [KeyValues() for _ in range(layers)]
    random = torch.Generator("cpu").manual_seed(choosing.seed)
    prompt = [token for token, _ in tokens[0] if isinstance(token, int)]
    next_place = int(places.max()) + 1
    written: list[int] = []
    while len(written) < most:
        ones = torch.ones(vectors.shape[:2], dtype=torch.long, device=vectors.device)
        [states] = decoder.states(
            vectors, (layers,), checkpoint, positions=places, mask=ones, added=added, past=past
        )
        scores = scored(decoder.norm(states[:, -1:]))[0, -1].float().cpu()
        if decoder.config.gemma:
            scores = (scores / GEMMA_SCORE_CAP).tanh() * GEMMA_SCORE_CAP
        token = choose(scores, choosing, prompt, written, random)
        if token in ends:
            break
        written.append(token)
        on_token(len(written))
        vectors = decoder.embed_tokens(torch.tensor([[token]]))
        places, added = torch.full((3, 1), next_place), {}
        next_place += 1
    return written


def choose(
    scores: Tensor,
    choosing: Choosing,
    prompt: Collection[int],
    written: Collection[int],
    random: torch.Generator,
) -> int:
    """The next token, from the scores [V] of all."""
    scores = _penalised(scores, choosing, prompt, written)
    if choosing.temperature is None:
        return int(scores.argmax())
    return int(torch.multinomial(probabilities(scores, choosing), 1, generator=random))


def _penalised(
    scores: Tensor, choosing: Choosing, prompt: Collection[int], written: Collection[int]
) -> Tensor:
    scores = scores.clone()
    if choosing.repetition_penalty not in (0.0, 1.0):
        seen = torch.tensor(sorted({*prompt, *written}), dtype=torch.long, device="cpu")
        found = scores[seen]
        penalty = choosing.repetition_penalty
        scores[seen] = torch.where(found < 0, found * penalty, found / penalty)
    if choosing.presence_penalty and written:
        told = torch.tensor(sorted(set(written)), dtype=torch.long, device="cpu")
        scores[told] -= choosing.presence_penalty
    return scores


def probabilities(scores: Tensor, choosing: Choosing) -> Tensor:
    """The probabilities [V] after temperature and all cuts; the likeliest token always stays."""
    scores = scores / max(choosing.temperature or 1.0, 1e-4)
    if 0 < choosing.top_k < len(scores):
        lowest = scores.topk(choosing.top_k).values[-1]
        scores = scores.masked_fill(scores < lowest, -torch.inf)
    if choosing.top_p < 1.0:
        ordered, order = scores.sort()
        cut = ordered.softmax(-1).cumsum(-1) <= 1 - choosing.top_p
        cut[-1] = False
        scores = scores.masked_fill(torch.zeros_like(cut).scatter(0, order, cut), -torch.inf)
    if choosing.min_p > 0.0:
        likely = scores.softmax(-1)
        cut = likely < choosing.min_p * likely.max()
        cut[likely.argmax()] = False
        scores = scores.masked_fill(cut, -torch.inf)
    return scores.softmax(-1)
