"""Tiny tokenizers, and T5's, in the forms that files of text encoders hold or have beside them."""

from __future__ import annotations

import base64
import json
import lzma

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from engine.text.tokenizer_files import DATA


def t5_pieces() -> Tensor:
    """T5's model file as a tensor `spiece_model`."""
    data = bytearray(lzma.decompress((DATA / "t5_pieces.model.xz").read_bytes()))
    return torch.frombuffer(data, dtype=torch.uint8)


def tekken() -> Tensor:
    """A tokenizer of single bytes, as files of Mistral's models hold one."""
    words = [
        {"rank": number, "token_bytes": base64.b64encode(bytes([number])).decode()}
        for number in range(256)
    ]
    content = {
        "config": {"default_num_special_tokens": 20, "default_vocab_size": 276, "pattern": "."},
        "vocab": words,
        "special_tokens": [],
    }
    data = bytearray(json.dumps(content).encode())
    return torch.frombuffer(data, dtype=torch.uint8)


def pile_tokenizer() -> Tokenizer:
    """A tokenizer of single letters, with Llama's first tokens."""
    words = ["<unk>", "<s>", "</s>", *map(chr, range(32, 127))]
    model = models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return tokenizer
