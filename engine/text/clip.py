"""CLIP's text encoders L, H and bigG: prompts to states and a pooled output.

They differ in width, activation, padding and the layout of their files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from torch import nn

from engine.text import clip_keys
from engine.text.clip_network import ClipText, ClipTextConfig, clip_text_config
from engine.text.encoder import PLAIN, Checkpoint, Encoded, TextStyle, Tokens
from engine.text.token_vectors import fitting, moved, vectors, weights_of
from engine.text.tokens import (
    END,
    ChunkFormat,
    Embeddings,
    Picture,
    WeightedToken,
    clip_tokenizer,
    tokenize,
)
from engine.weights.state_dict import StateDict

HEAD_CHANNELS = 64
RELEASED_WIDTHS = (768, 1024, 1280)


@dataclass(frozen=True, slots=True)
class ClipEncoder:
    """One of CLIP's text encoders, see `engine.text.encoder.TextEncoder`.

    Attributes:
        name, title: see the protocol.
        channels: the width of the released encoder, by which a separate file is recognised.
        layers: number of layers of the released encoder; distinguishes files of another width.
        activation: `quick_gelu` or `gelu`.
        chunks: length and padding of a chunk.
        file_prefix: see the protocol; the names are transformers'.
        takes_pictures: see the protocol.
    """

    name: str
    title: str
    channels: int
    layers: range
    activation: str
    chunks: ChunkFormat
    file_prefix: str = "text_model."
    takes_pictures: bool = False

    def detect(self, weights: StateDict) -> ClipTextConfig | None:
        """The configuration of a file of this width, or of another width with as many layers."""
        found = clip_keys.tensors(weights)
        width = found.shape(clip_keys.MARK) if found else None
        if found is None or width is None or len(width) != 2:
            return None
        released = width[1] in RELEASED_WIDTHS
        config = self.config(found)
        ours = width[1] == self.channels if released else config.layers in self.layers
        return config if ours else None

    def config(self, tensors: StateDict, *, head_channels: int = HEAD_CHANNELS) -> ClipTextConfig:
        """The sizes, from tensors known to be this encoder's, under the module's names."""
        return clip_text_config(
            tensors.shapes, head_channels=head_channels, activation=self.activation
        )

    def tensors(self, weights: StateDict) -> StateDict:
        """The tensors under the module's names, from the layout of transformers or of OpenCLIP."""
        found = clip_keys.tensors(weights)
        if found is None:
            raise ValueError("these are no CLIP text encoder's tensors")
        return found

    def build(self, config: ClipTextConfig) -> nn.Module:
        """The module, on the current default device."""
        return ClipText(config).eval()

    def width(self, config: ClipTextConfig) -> int:
        """The width of the layers."""
        return config.channels

    def tokenize(
        self,
        config: ClipTextConfig,
        text: str,
        embeddings: Embeddings | None,
        *,
        style: TextStyle = PLAIN,
        pictures: Sequence[Picture] = (),
    ) -> Tokens:
        """Chunks of 77 tokens; embeddings of another width are left out with a warning."""
        del style, pictures
        found = fitting(embeddings, config.channels) if embeddings else None
        return tokenize(clip_tokenizer(), text, embeddings=found, chunks=self.chunks)

    def empty(self, config: ClipTextConfig, style: TextStyle = PLAIN) -> Sequence[WeightedToken]:
        """The chunk of an empty prompt."""
        del config, style
        return tokenize(clip_tokenizer(), "", chunks=self.chunks)[0]

    def encode(
        self,
        module: nn.Module,
        tokens: Tokens,
        *,
        style: TextStyle,
        layer: int | None,
        checkpoint: Checkpoint,
    ) -> Encoded:
        """States [1, 77 * chunks, D]; pooled is the last layer, normalised, at the first end token.

        Token numbers are created on torch's current default device, which must be the encoder's. A
        weight moves a token's state away from, or towards, the state of the empty prompt at the
        same place.
        """
        clip = cast("ClipText", module)
        weights = weights_of(tokens)
        chunks = tokens if weights is None else [*tokens, self.empty(clip.config)]
        wanted = style.layer if layer is None else layer
        chosen, last = clip.states(vectors(clip.vectors, chunks, END), wanted, checkpoint)
        last = clip.final_layer_norm(last[:1])
        states = clip.final_layer_norm(chosen) if style.normalised else chosen
        end = next(
            i for i, (token, _) in enumerate(tokens[0]) if isinstance(token, int) and token == END
        )
        pooled = last[:, end]
        if style.projected and clip.config.projection is not None:
            pooled = clip.text_projection(pooled)
        states, pooled = states.float().cpu(), pooled.float().cpu()
        if weights is not None:
            states = moved(states[:-1], states[-1:], weights)
        return Encoded(states.reshape(1, -1, states.shape[-1]), pooled)

    def activation_bytes(self, config: ClipTextConfig, tokens: Tokens, dtype_bytes: int) -> int:
        """Bytes of a few tensors of the feed-forward width, and the attention scores."""
        cells = (len(tokens) + 1) * self.chunks.length
        wide = 4 * config.feed_forward + 8 * config.channels
        return cells * (wide + config.heads * self.chunks.length) * max(dtype_bytes, 4)


CLIP_L = ClipEncoder("clip_l", "CLIP L", 768, range(1, 23), "quick_gelu", ChunkFormat(pad=END))
CLIP_H = ClipEncoder("clip_h", "CLIP H", 1024, range(23, 31), "gelu", ChunkFormat(pad=0))
CLIP_G = ClipEncoder("clip_g", "CLIP bigG", 1280, range(31, 1000), "gelu", ChunkFormat(pad=0))
