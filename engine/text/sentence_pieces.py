"""Tokenizers of SentencePiece (Kudo and Richardson 2018), from their model file.

The file is a protocol buffer: pieces with scores and types, and how texts are normalised. Field
numbers are those of sentencepiece_model.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from engine.errors import WeightsError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4
UNIGRAM, BYTE_PAIRS = 1, 2
SPACE = "▁"
MOST_PIECES = 1_000_000
EXTRA_TOKENS = 100
"""T5 was trained with so many more tokens, `<extra_id_0>` the last."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """The content of a model file.

    Attributes:
        pieces: of the vocabulary, each with its score and type, in the order of their numbers.
        kind: `UNIGRAM` or `BYTE_PAIRS`.
        characters: the compiled table of replacements that normalise a text; empty for none.
        begins_with_space: whether a text gets a space in front.
        fewer_spaces: whether runs of spaces become one.
        bytes_for_unknown: whether an unknown character becomes its bytes.
    """

    pieces: Sequence[tuple[str, float, int]]
    kind: int = UNIGRAM
    characters: bytes = b""
    begins_with_space: bool = True
    fewer_spaces: bool = True
    bytes_for_unknown: bool = False


class SentencePieces:
    """A tokenizer, see `engine.text.tokens.TextTokenizer`."""

    def __init__(self, content: Pieces, *, extra_tokens: int = 0) -> None:
        names = [piece for piece, _, _ in content.pieces]
        unknown = next((i for i, each in enumerate(content.pieces) if each[2] == UNKNOWN), 0)
        vocabulary = [(piece, score) for piece, score, _ in content.pieces]
        vocabulary += [(f"<extra_id_{n}>", 0.0) for n in reversed(range(extra_tokens))]
        self._tokenizer = Tokenizer(_model(content, vocabulary, unknown))
        special = [names[i] for i, each in enumerate(content.pieces) if each[2] in (2, 3, 4)]
        special += [name for name, _ in vocabulary[len(names) :]]
        self._tokenizer.add_special_tokens(
            [AddedToken(name, normalized=False, special=True) for name in special]
        )
        steps: list[normalizers.Normalizer] = []
        if content.characters:
            steps += [normalizers.Precompiled(content.characters)]
        if content.fewer_spaces:
            steps += [normalizers.Strip(left=False), normalizers.Replace(Regex(" {2,}"), SPACE)]
        if content.kind == BYTE_PAIRS:
            steps += [normalizers.Prepend(SPACE)] if content.begins_with_space else []
            steps += [normalizers.Replace(" ", SPACE)]
        else:
            scheme = "always" if content.begins_with_space else "never"
            self._tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, prepend_scheme=scheme)
        self._tokenizer.normalizer = normalizers.Sequence(steps)
        back: list[decoders.Decoder] = [decoders.Replace(SPACE, " "), decoders.ByteFallback()]
        back += [decoders.Fuse()]
        back += [decoders.Strip(" ", 1, 0)] if content.begins_with_space else []
        self._tokenizer.decoder = decoders.Sequence(back)
        self.size = len(vocabulary)

    def numbers(self, text: str) -> list[int]:
        """Token numbers of a text, without start and end."""
        # An unpaired surrogate, which JSON can hold, has no UTF-8 form.
        text = text.encode("utf-8", "replace").decode()
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def text(self, numbers: Sequence[int]) -> str:
        """The text of token numbers, special tokens included."""
        return self._tokenizer.decode(numbers, skip_special_tokens=False)


def _model(content: Pieces, vocabulary: list[tuple[str, float]], unknown: int) -> models.Model:
    if content.kind != BYTE_PAIRS:
        return models.Unigram(vocabulary, unknown, content.bytes_for_unknown)
    numbers = {piece: i for i, (piece, _) in enumerate(vocabulary)}
    return models.BPE(
        vocab=numbers,
        merges=_merges(vocabulary, numbers),
        unk_token=vocabulary[unknown][0],
        fuse_unk=True,
        byte_fallback=content.bytes_for_unknown,
    )


def _merges(vocabulary: list[tuple[str, float]], numbers: dict[str, int]) -> list[tuple[str, str]]:
    """Every way to join two pieces to another, the best score first."""
    found: list[tuple[float, int, int, str, str]] = []
    for piece, score in vocabulary:
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in numbers and right in numbers:
                found.append((-score, numbers[left], numbers[right], left, right))
    found.sort()
    return [(left, right) for *_, left, right in found]


def read_pieces(data: bytes) -> Pieces:
    """The content of a model file.

    Raises:
        WeightsError: it is none.
    """
    pieces: list[tuple[str, float, int]] = []
    settings: dict[str, int | bytes] = {}
    try:
        for number, value in _fields(data):
            if number == 1 and isinstance(value, bytes):
                pieces.append(_piece(value))
            elif number in (2, 3) and isinstance(value, bytes):
                for inner, each in _fields(value):
                    name = _SETTINGS.get((number, inner))
                    if name and isinstance(each, int | bytes):
                        settings[name] = each
    except (IndexError, ValueError, struct.error) as error:
        raise WeightsError(f"no SentencePiece model: {error}") from error
    if not 0 < len(pieces) <= MOST_PIECES:
        raise WeightsError(f"no SentencePiece model: it has {len(pieces):,} pieces")
    characters = settings.get("characters", b"")
    return Pieces(
        pieces,
        kind=_whole(settings.get("kind", UNIGRAM)),
        characters=characters if isinstance(characters, bytes) else b"",
        begins_with_space=bool(settings.get("begins_with_space", 1)),
        fewer_spaces=bool(settings.get("fewer_spaces", 1)),
        bytes_for_unknown=bool(settings.get("bytes_for_unknown", 0)),
    )


_SETTINGS: Mapping[tuple[int, int], str] = {
    (2, 3): "kind",
    (2, 35): "bytes_for_unknown",
    (3, 2): "characters",
    (3, 3): "begins_with_space",
    (3, 4): "fewer_spaces",
}


def _whole(value: int | bytes) -> int:
    return value if isinstance(value, int) else UNIGRAM


def _piece(data: bytes) -> tuple[str, float, int]:
    text, score, kind = "", 0.0, NORMAL
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            text = value.decode("utf-8")
        elif number == 2 and isinstance(value, float):
            score = value
        elif number == 3 and isinstance(value, int):
            kind = value
    return text, score, kind


def _fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """The fields of one message: number and value."""
    place = 0
    while place < len(data):
        key, place = _variable(data, place)
        kind = key & 7
        if kind == 0:
            value, place = _variable(data, place)
        elif kind == 2:
            size, place = _variable(data, place)
            value = data[place : place + size]
            if len(value) != size:
                raise ValueError("it ends within a field")
            place += size
        elif kind == 5:
            (value,) = struct.unpack_from("<f", data, place)
            place += 4
        elif kind == 1:
            value, place = data[place : place + 8], place + 8
        else:
            raise ValueError(f"a field of kind {kind}")
        yield key >> 3, value


def _variable(data: bytes, place: int) -> tuple[int, int]:
    """A number of variable length, and the place after it."""
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if not byte & 128:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("a number without end")
