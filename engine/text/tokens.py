"""Prompts to chunks of weighted CLIP tokens.

The vocabulary is rebuilt from the merges of CLIP's byte-pair encoding (Radford et al. 2021), which
are in `data/` (origin and licence: NOTICE). Callers pass a function that finds embeddings.
"""

from __future__ import annotations

import gzip
import logging
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from torch import Tensor

from engine.text.prompt_syntax import weighted_spans

Embeddings = Callable[[str], Tensor | None]
"""The name of a textual inversion to its vectors [N, D]; None if there is no such embedding."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture in a prompt: `pixels` [1, h, w, 3], 0 to 1."""

    pixels: Tensor


WeightedToken = tuple[int | Tensor | Picture, float]
"""A token's number, or a vector [D] or a picture instead; and its weight."""

START, END = 49406, 49407


class TextTokenizer(Protocol):
    """Splits a text into the tokens of a vocabulary."""

    def numbers(self, text: str) -> list[int]:
        """Token numbers of a text, without start and end."""
        ...


class ReadableTokenizer(TextTokenizer, Protocol):
    """One that turns numbers back into text, too."""

    def text(self, numbers: Sequence[int]) -> str:
        """The text of token numbers, special tokens included."""
        ...


_PRINTING = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_MERGES = Path(__file__).parent / "data" / "clip_merges.txt.gz"
_MENTION = re.compile(r"(?:^|(?<=[ \n]))embedding:(\S+)")
_SPACE = re.compile(r"\s+")
_MOST_LOGGED = 10
_NEVER_SPLIT_BELOW = 8
"""A span of fewer tokens moves to the next chunk whole instead of being split."""


class ClipTokenizer:
    """CLIP's byte-pair encoding."""

    def __init__(self) -> None:
        text = gzip.decompress(_MERGES.read_bytes()).decode()
        merges = [(left, right) for left, right in map(str.split, text.splitlines())]
        letters = _byte_letters()
        tokens = [*letters, *(f"{letter}</w>" for letter in letters), *map("".join, merges)]
        specials = ["<|startoftext|>", "<|endoftext|>"]
        vocabulary = {token: number for number, token in enumerate([*tokens, *specials])}
        byte_pairs = models.BPE(
            vocab=vocabulary, merges=merges, unk_token=specials[1], end_of_word_suffix="</w>"
        )
        self._tokenizer = Tokenizer(byte_pairs)
        self._tokenizer.add_special_tokens(specials)
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )

    def numbers(self, text: str) -> list[int]:
        """Token numbers of a text, without start and end."""
        # Python's lower-casing, because the library's differs, e.g. for a Greek final sigma.
        text = _SPACE.sub(" ", unicodedata.normalize("NFC", text)).lower()
        # An unpaired surrogate, which JSON can hold, has no UTF-8 form.
        text = text.encode("utf-8", "replace").decode()
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def vocabulary(self) -> dict[str, int]:
        """Every token and its number."""
        return self._tokenizer.get_vocab()

    def text(self, numbers: Sequence[int]) -> str:
        """The text of token numbers, with a space after each word."""
        names = (self._tokenizer.id_to_token(number) for number in numbers)
        letters = byte_letters()
        found = bytearray()
        for name in names:
            word = (name or "").replace("</w>", " ")
            for letter in word:
                found += bytes([letters[letter]]) if letter in letters else letter.encode()
        return found.decode("utf-8", "replace").strip()


@cache
def clip_tokenizer() -> ClipTokenizer:
    """The tokenizer, built on first use in about 0.1 s."""
    return ClipTokenizer()


def _byte_letters() -> list[str]:
    """The 256 letters that represent bytes, in the order of their numbers (GPT-2's table).

    Printable bytes represent themselves; the others get the letters from U+0100 on.
    """
    return [*map(chr, _PRINTING), *(chr(0x100 + i) for i in range(256 - len(_PRINTING)))]


def _byte_order() -> list[int]:
    """The bytes that `_byte_letters` represents, in its order."""
    return [*_PRINTING, *(byte for byte in range(256) if byte not in _PRINTING)]


def byte_letters() -> dict[str, int]:
    """The letters that represent bytes in byte-pair vocabularies, and the bytes."""
    return dict(zip(_byte_letters(), _byte_order(), strict=True))


@dataclass(frozen=True, slots=True)
class ChunkFormat:
    """The format of an encoder's chunks.

    Attributes:
        length: tokens of a chunk, start and end included.
        pad: fills a chunk after its end token: 49407 for CLIP L, 0 for OpenCLIP.
        start, end: its first token, and the one after the text.
    """

    length: int = 77
    pad: int = END
    start: int = START
    end: int = END


CLIP_L_CHUNKS = ChunkFormat()


def tokenize(
    tokenizer: TextTokenizer,
    text: str,
    *,
    embeddings: Embeddings | None = None,
    chunks: ChunkFormat = CLIP_L_CHUNKS,
) -> list[list[WeightedToken]]:
    """Split a prompt into chunks of `(token, weight)` of length `chunks.length`; at least one.

    `embedding:name` represents the vectors that `embeddings` finds; without that function it is
    ordinary text. A name that is not found is removed.
    """
    groups = [
        [(token, weight) for token in group]
        for group, weight in grouped(tokenizer, text, embeddings=embeddings)
    ]
    return in_chunks(groups, chunks)


def grouped(
    tokenizer: TextTokenizer,
    text: str,
    *,
    embeddings: Embeddings | None = None,
    weighted: bool = True,
) -> list[tuple[Sequence[int | Tensor], float]]:
    """The tokens of a prompt in groups of one weight: its words between embeddings, and each.

    See `tokenize`. Without `weighted`, parentheses are ordinary text.
    """
    missing: dict[str, None] = {}
    groups = [
        (group, weight)
        for span, weight in (weighted_spans(text) if weighted else [(text, 1.0)])
        for group in _tokens(tokenizer, span, embeddings, missing)
    ]
    for name in list(missing)[:_MOST_LOGGED]:
        logging.getLogger(__name__).warning(
            "embedding:%s is left out: there is none of that name that can be used", name[:100]
        )
    return groups


def _tokens(
    tokenizer: TextTokenizer, span: str, embeddings: Embeddings | None, missing: dict[str, None]
) -> Iterator[Sequence[int | Tensor]]:
    """The groups of one span: its words between embeddings, and each embedding.

    Names of embeddings that do not exist are added to `missing`.
    """
    if embeddings is None:
        yield tokenizer.numbers(span)
        return
    end = 0
    for mention in _MENTION.finditer(span):
        yield tokenizer.numbers(span[end : mention.start()])
        name: str = mention[1]
        end = mention.end()
        found = embeddings(name)
        if found is None and (shorter := name.rstrip(",")) != name:
            end -= len(name) - len(shorter)
            found = embeddings(shorter) if shorter else None
        if found is None:
            missing[name] = None
        else:
            yield [*found.reshape(-1, found.shape[-1])]
    yield tokenizer.numbers(span[end:])


def in_chunks(
    groups: Sequence[Sequence[WeightedToken]], chunks: ChunkFormat
) -> list[list[WeightedToken]]:
    """Groups of tokens as chunks of `chunks.length`; long groups are split."""
    room = chunks.length - 2
    filled: list[list[WeightedToken]] = [[]]
    for group in groups:
        left = list(group)
        while len(filled[-1]) + len(left) > room:
            splits = len(left) >= _NEVER_SPLIT_BELOW
            taken = room - len(filled[-1]) if splits else 0
            filled[-1].extend(left[:taken])
            left = left[taken:]
            filled.append([])
        filled[-1].extend(left)
    return [_closed(chunk, chunks) for chunk in filled]


def _closed(chunk: list[WeightedToken], chunks: ChunkFormat) -> list[WeightedToken]:
    padding = chunks.length - 2 - len(chunk)
    return [(chunks.start, 1.0), *chunk, (chunks.end, 1.0), *[(chunks.pad, 1.0)] * padding]
