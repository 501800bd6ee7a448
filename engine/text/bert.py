"""The text encoder of latent diffusion's text-to-image model: prompts to states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import nn

from engine.errors import WeightsError
from engine.text.bert_network import MARK, BertText, BertTextConfig, bert_text_config
from engine.text.encoder import PLAIN, Checkpoint, Encoded, TextStyle, Tokens
from engine.text.token_vectors import fitting, moved, vectors, weights_of
from engine.text.tokens import Embeddings, Picture, WeightedToken, tokenize
from engine.text.word_pieces import CHUNKS, PAD, word_pieces
from engine.weights.state_dict import StateDict

PREFIXES = ("transformer.", "")
PARTS = ("token_emb.", "pos_emb.", "attn_layers.", "norm.")


class BertEncoder:
    """See `engine.text.encoder.TextEncoder`, which this implements."""

    name = "bert"
    title = "BERT of latent diffusion"
    file_prefix = "transformer."
    takes_pictures = False

    def detect(self, weights: StateDict) -> BertTextConfig | None:
        """The configuration of a separate file."""
        found = find_tensors(weights)
        return self.config(found) if found else None

    def config(self, tensors: StateDict) -> BertTextConfig:
        """The sizes. Raises `WeightsError` if a prompt does not fit."""
        found = bert_text_config(tensors.shapes)
        if found.positions < CHUNKS.length:
            raise WeightsError(
                f"not a text encoder that works: it has {found.positions} positions, a prompt "
                f"takes {CHUNKS.length}"
            )
        if found.vocabulary < word_pieces().size:
            raise WeightsError(
                f"a text encoder of another vocabulary: it has {found.vocabulary:,} tokens, BERT's "
                f"has {word_pieces().size:,}"
            )
        return found

    def tensors(self, weights: StateDict) -> StateDict:
        """The tensors under the module's names, without the output of training (`to_logits`)."""
        found = find_tensors(weights)
        if found is None:
            raise ValueError("these are no tensors of this text encoder")
        return found

    def build(self, config: BertTextConfig) -> nn.Module:
        """The module, on the current default device."""
        return BertText(config).eval()

    def width(self, config: BertTextConfig) -> int:
        """The width of the layers."""
        return config.channels

    def tokenize(
        self,
        config: BertTextConfig,
        text: str,
        embeddings: Embeddings | None,
        *,
        style: TextStyle = PLAIN,
        pictures: Sequence[Picture] = (),
    ) -> Tokens:
        """Chunks of 77 tokens; embeddings of another width are left out with a warning."""
        del style, pictures
        found = fitting(embeddings, config.channels) if embeddings else None
        return tokenize(word_pieces(), text, embeddings=found, chunks=CHUNKS)

    def empty(self, config: BertTextConfig, style: TextStyle = PLAIN) -> Sequence[WeightedToken]:
        """The chunk of an empty prompt."""
        del config, style
        return tokenize(word_pieces(), "", chunks=CHUNKS)[0]

    def encode(
        self,
        module: nn.Module,
        tokens: Tokens,
        *,
        style: TextStyle,
        layer: int | None,
        checkpoint: Checkpoint,
    ) -> Encoded:
        """States [1, 77 * chunks, D] with the final norm; there is no pooled output.

        A weight moves a token's state away from, or towards, the state of the empty prompt at the
        same place.
        """
        bert = cast("BertText", module)
        weights = weights_of(tokens)
        chunks = tokens if weights is None else [*tokens, self.empty(bert.config)]
        wanted = style.layer if layer is None else layer
        states = bert.norm(bert.states(vectors(bert.vectors, chunks, PAD), wanted, checkpoint))
        states = states.float().cpu()
        if weights is not None:
            states = moved(states[:-1], states[-1:], weights)
        return Encoded(states.reshape(1, -1, states.shape[-1]))

    def activation_bytes(self, config: BertTextConfig, tokens: Tokens, dtype_bytes: int) -> int:
        """Bytes of a few tensors of the feed-forward width, and the attention scores."""
        cells = (len(tokens) + 1) * CHUNKS.length
        wide = 4 * config.feed_forward + 8 * config.channels
        return cells * (wide + config.heads * CHUNKS.length) * max(dtype_bytes, 4)


def find_tensors(weights: StateDict) -> StateDict | None:
    """The encoder's tensors under the module's names; None without one.

    Raises:
        WeightsError: one of them is empty.
    """
    for prefix in PREFIXES:
        if f"{prefix}{MARK}" in weights:
            part = weights.part(prefix)
            return part.rename(lambda name: name if name.startswith(PARTS) else None).refuse_empty()
    return None


BERT = BertEncoder()
