"""Finds the tokenizer of a text encoder: in its file, beside it, or among those shipped here.

The order: a tensor in the file that holds one (`spiece_model`, `tekken_model`), the one of its kind
that is part of this program (`data/`, see NOTICE), the metadata of a GGUF file, files beside the
weights and in `models/tokenizers/NAME/`.
"""

from __future__ import annotations

import base64
import binascii
import json
import lzma
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from tokenizers import Tokenizer

from engine.errors import WeightsError
from engine.text.byte_tokens import ByteTokens
from engine.text.ranked_bytes import QWEN_WORDS, RankedBytes
from engine.text.sentence_pieces import (
    BYTE_PAIRS,
    EXTRA_TOKENS,
    UNIGRAM,
    Pieces,
    SentencePieces,
    read_pieces,
)
from engine.text.tokens import ReadableTokenizer, byte_letters
from engine.tokenizer_sources import SOURCES, candidates
from engine.weights.state_dict import StateDict

DATA = Path(__file__).parent / "data"
QWEN_SPECIALS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>"),
    *("<|object_ref_end|>", "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>"),
    *("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
    *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"),
    *("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"),
)
QWEN3_SPECIALS = ("<tool_response>", "</tool_response>", "<think>", "</think>")
_GGUF = "tokenizer.ggml."


class TokenizerSource:
    """A tokenizer that is read when it is first used."""

    def __init__(self, read: Callable[[], ReadableTokenizer]) -> None:
        self._read = read
        self._found: ReadableTokenizer | None = None

    def get(self) -> ReadableTokenizer:
        """The tokenizer. Raises `WeightsError` if there is none, or it is damaged."""
        if self._found is None:
            self._found = self._read()
        return self._found


def tokenizer_of(
    tensors: StateDict, name: str, *, shipped: str | None, wanted: str
) -> TokenizerSource:
    """The tokenizer of an encoder.

    Args:
        tensors: of the encoder, with tensors that hold a tokenizer, and the file's metadata.
        name: the encoder's, also of its folder in `models/tokenizers/`.
        shipped: the name of the tokenizer shipped here, one of `SHIPPED`; None: none.
        wanted: which file to get, for the message if none is found.
    """

    def read() -> ReadableTokenizer:
        if "spiece_model" in tensors:
            return SentencePieces(read_pieces(_bytes(tensors, "spiece_model")))
        if "tekken_model" in tensors:
            return tekken(_bytes(tensors, "tekken_model"))
        if shipped:
            return SHIPPED[shipped]()
        if f"{_GGUF}tokens" in tensors.metadata:
            return of_gguf(tensors.metadata)
        for path in candidates(tensors.path, name) if tensors.path else ():
            if path.is_file():
                return read_file(path)
        raise WeightsError(
            f"{tensors.origin}: this text encoder ({name}) comes without its tokenizer; get "
            f"{wanted} and put it into models/tokenizers/{name}/. {_fetching(name)}"
        )

    return TokenizerSource(read)


def _fetching(name: str) -> str:
    """How the program fetches a tokenizer, if it can."""
    if name not in SOURCES:
        return "Then run again"
    return (
        "The list of what a workflow needs downloads it on request, "
        f"and so does: python main.py fetch --tokenizer {name}"
    )


def _bytes(tensors: StateDict, name: str) -> bytes:
    return tensors[name].contiguous().numpy().tobytes()


class WholeTokenizer:
    """A tokenizer in the format of the library `tokenizers`."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def numbers(self, text: str) -> list[int]:
        """Token numbers of a text, without start and end."""
        text = text.encode("utf-8", "replace").decode()
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def text(self, numbers: Sequence[int]) -> str:
        """The text of token numbers, special tokens included."""
        return self._tokenizer.decode(numbers, skip_special_tokens=False)


def read_file(path: Path) -> ReadableTokenizer:
    """The tokenizer in a file. Raises `WeightsError` if it is damaged."""
    try:
        if path.name.endswith("tekken.json"):
            return tekken(path.read_bytes())
        if path.suffix == ".model":
            return SentencePieces(read_pieces(path.read_bytes()))
        return WholeTokenizer(Tokenizer.from_file(str(path)))
    except WeightsError as error:
        raise WeightsError(f"{path.name}: {error}") from error
    except Exception as error:  # the library raises plain exceptions
        raise WeightsError(f"{path.name}: no tokenizer that can be read: {error}") from error


@cache
def t5() -> ReadableTokenizer:
    """The tokenizer of T5 version 1.1, with its 100 extra tokens."""
    data = lzma.decompress((DATA / "t5_pieces.model.xz").read_bytes())
    return SentencePieces(read_pieces(data), extra_tokens=EXTRA_TOKENS)


@cache
def qwen_ranks() -> Mapping[bytes, int]:
    """The 151,643 byte strings of Qwen's vocabulary, of which each is stored behind its length."""
    data = lzma.decompress((DATA / "qwen_ranks.xz").read_bytes())
    ranks: dict[bytes, int] = {}
    place = 0
    while place < len(data):
        end = place + 1 + data[place]
        ranks[data[place + 1 : end]] = len(ranks)
        place = end
    return ranks


def _qwen(specials: tuple[str, ...]) -> RankedBytes:
    ranks = qwen_ranks()
    numbers = {name: len(ranks) + i for i, name in enumerate(specials)}
    return RankedBytes(ranks, QWEN_WORDS, numbers, composed=True)


@cache
def qwen2() -> RankedBytes:
    """The tokenizer of Qwen2 and Qwen2.5."""
    return _qwen(QWEN_SPECIALS)


@cache
def qwen3() -> RankedBytes:
    """The tokenizer of Qwen3, which has four more special tokens."""
    return _qwen((*QWEN_SPECIALS, *QWEN3_SPECIALS))


SHIPPED: Mapping[str, Callable[[], ReadableTokenizer]] = {
    "t5": t5,
    "qwen2": qwen2,
    "qwen3": qwen3,
    "bytes": ByteTokens,
}


def tekken(data: bytes) -> RankedBytes:
    """Mistral's tokenizer from its JSON: ranks behind the special tokens.

    Raises:
        WeightsError: it is none.
    """
    try:
        whole = cast("dict[str, Any]", json.loads(data))
        config = whole["config"]
        count = int(config["default_num_special_tokens"])
        used = int(config["default_vocab_size"]) - count
        listed = whole.get("special_tokens") or []
        specials = {str(each["token_str"]): int(each["rank"]) for each in listed}
        ranks: dict[bytes, int] = {}
        for each in whole["vocab"]:
            if int(each["rank"]) < used:
                ranks[base64.b64decode(each["token_bytes"])] = int(each["rank"])
        return RankedBytes(ranks, str(config["pattern"]), specials, first=count)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise WeightsError(f"no Tekken tokenizer: {error!r}") from error


def of_gguf(metadata: Mapping[str, str]) -> ReadableTokenizer:
    """The tokenizer in a GGUF file's metadata, whose arrays are JSON.

    Raises:
        WeightsError: it is of a kind that is not read.
    """
    kind = metadata.get(f"{_GGUF}model", "")
    tokens = _array(metadata, "tokens")
    kinds = _array(metadata, "token_type") or [1] * len(tokens)
    if kind in ("t5", "llama"):
        scores = _array(metadata, "scores") or [0.0] * len(tokens)
        pieces = [
            (str(piece), float(score), int(each))
            for piece, score, each in zip(tokens, scores, kinds, strict=True)
        ]
        characters = bytes(number & 255 for number in _array(metadata, "precompiled_charsmap"))
        flag = metadata.get(f"{_GGUF}add_space_prefix", "true").lower()
        content = Pieces(
            pieces,
            kind=UNIGRAM if kind == "t5" else BYTE_PAIRS,
            characters=characters,
            begins_with_space=flag in ("true", "1"),
            fewer_spaces=kind == "t5",
            bytes_for_unknown=kind == "llama",
        )
        return SentencePieces(content)
    if kind == "gpt2":
        return _gguf_bytes(tokens, kinds, metadata.get(f"{_GGUF}pre", ""))
    raise WeightsError(f"a GGUF file with a tokenizer of the kind {kind!r}, which is not read")


def _gguf_bytes(tokens: list[Any], kinds: list[Any], pattern: str) -> RankedBytes:
    """Byte-pair encoding, whose tokens are written with a letter for each byte."""
    letters = byte_letters()
    specials = {str(t): i for i, t in enumerate(tokens) if int(kinds[i]) in (3, 4)}
    ranks: dict[bytes, int] = {}
    for number, token in enumerate(tokens):
        if token not in specials and all(letter in letters for letter in token):
            ranks[bytes(letters[letter] for letter in token)] = number
    words = TEKKEN_WORDS if pattern == "tekken" else QWEN_WORDS
    return RankedBytes(ranks, words, specials, composed=pattern.startswith("qwen"))


TEKKEN_WORDS = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _array(metadata: Mapping[str, str], name: str) -> list[Any]:
    try:
        found = json.loads(metadata.get(f"{_GGUF}{name}", "[]"))
    except ValueError as error:
        raise WeightsError(f"a GGUF file whose tokenizer cannot be read: {error}") from error
    return found if isinstance(found, list) else []
