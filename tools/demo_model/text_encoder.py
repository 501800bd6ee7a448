"""The demo model's text encoder, a very small CLIP text transformer, and its captions as token ids.

State-dict keys are those of `cond_stage_model.transformer` in a Stable Diffusion 1 file.  During
training the table holds only the words of the captions, and one shared row for every other word;
the export spreads that row over the rest of the vocabulary.  A share of the training captions has
the shared row inserted, so unknown words are neutral.
"""

import random
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from tools.demo_model.denoiser import TEXT_WIDTH
from tools.demo_model.layers import attend

START, END, LENGTH, VOCABULARY = 49406, 49407, 77, 49408


class SelfAttention(nn.Module):
    """One causal head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.k_proj, self.v_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.q_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """One causal head."""
        query, key, value = (layer(x)[:, None] for layer in (self.q_proj, self.k_proj, self.v_proj))
        return self.out_proj(attend(query, key, value, causal=True)[:, 0])


class Perceptron(nn.Module):
    """Two layers around the quick GELU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x))


class EncoderLayer(nn.Module):
    """Attention and perceptron, each with a skip connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.self_attn, self.mlp = SelfAttention(width), Perceptron(width)
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class TextEncoder(nn.Module):
    """Token ids to one state per position, of the denoiser's text width."""

    def __init__(
        self, vocabulary: int = VOCABULARY, width: int = TEXT_WIDTH, layers: int = 2
    ) -> None:
        super().__init__()
        model = self.text_model = nn.Module()
        model.embeddings, model.encoder = nn.Module(), nn.Module()
        model.embeddings.token_embedding = nn.Embedding(vocabulary, width)
        model.embeddings.position_embedding = nn.Embedding(LENGTH, width)
        nn.init.normal_(model.embeddings.token_embedding.weight, std=0.3)
        nn.init.normal_(model.embeddings.position_embedding.weight, std=0.05)
        model.encoder.layers = nn.ModuleList(EncoderLayer(width) for _ in range(layers))
        model.final_layer_norm = nn.LayerNorm(width)

    def forward(self, ids: Tensor) -> Tensor:
        """Run it."""
        model = self.text_model
        x = (
            model.embeddings.token_embedding(ids)
            + model.embeddings.position_embedding.weight[: ids.shape[1]]
        )
        for layer in model.encoder.layers:
            x = layer(x)
        return model.final_layer_norm(x)


def load_tokenizer(path: Path) -> Tokenizer:
    """The CLIP vocabulary as a `tokenizers` file, set to pad and cut to LENGTH."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(LENGTH)
    tokenizer.enable_padding(length=LENGTH, pad_id=END, pad_token="<|endoftext|>")  # noqa: S106 (no password)
    return tokenizer


def encode_captions(tokenizer: Tokenizer, captions: Sequence[str]) -> Tensor:
    """Captions as rows of LENGTH token ids."""
    return torch.tensor([encoding.ids for encoding in tokenizer.encode_batch(list(captions))])


def compact(ids: Tensor) -> tuple[Tensor, Tensor]:
    """The ids that occur, in order, and the captions as indices into them.

    The index len(used) means any other word.
    """
    used = torch.unique(ids)
    return used, torch.searchsorted(used, ids)


def with_unknown_words(ids: Tensor, used: Tensor, seed: int = 0) -> Tensor:
    """A copy in which one to three unknown words are inserted in every caption."""
    rng, unknown, end = random.Random(seed), len(used), int(torch.searchsorted(used, END))
    rows = []
    for row in ids.tolist():
        length = row.index(end)
        place = rng.randint(1, length)
        rows.append((row[:place] + [unknown] * rng.randint(1, 3) + row[place:])[:LENGTH])
    return torch.tensor(rows)
