"""The metadata of a picture: the prompt and workflow inside PNG, APNG, WebP and JPEG.

Reads a file's chunks within limits and never decodes its pixels (see `pictures.py`).
"""

from __future__ import annotations

import json
import logging
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from engine.errors import MediaError
from engine.json_text import JsonError, read_json
from engine.media.exif import ascii_texts, user_comment

PROMPT = "prompt"
WORKFLOW = "workflow"
COMMENT = "parameters"
"""The keyword of the user comment of EXIF: A1111 and its kin write there what they write under this
keyword into PNG."""
MOST_TEXT = 32 << 20
"""Bytes of one text, unpacked. The largest workflows in use have about two million."""
MOST_TEXT_IN_ALL = 64 << 20
MOST_CHUNKS = 200_000

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_TEXT = frozenset({b"tEXt", b"zTXt", b"iTXt", b"comf"})
_MOST_LOGGED = 3
_LOGGER = logging.getLogger(__name__)
_EXIF_PREFIX = b"Exif\0\0"
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""JPEG markers that stand without a segment."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """The metadata of a picture; None where it has none that can be read.

    Attributes:
        workflow: the saved workflow, as the editor writes it.
        prompt: the prompt that made it, in API form.
    """

    workflow: dict[str, Any] | None
    prompt: dict[str, Any] | None


def metadata_texts(
    prompt: Mapping[str, Any] | None, extra: Mapping[str, Any] | None
) -> dict[str, str]:
    """The texts to write into a picture: `prompt`, and one for each key of `extra`.

    Args:
        prompt: the prompt in API form.
        extra: the values sent with it as `extra_pnginfo`, usually `{"workflow": ...}`.
    """
    texts = {} if prompt is None else {PROMPT: json.dumps(prompt)}
    return texts | {key: json.dumps(value) for key, value in (extra or {}).items()}


def read_workflow(path: Path) -> dict[str, Any] | None:
    """The workflow inside a picture, or else its prompt, or None if it carries neither.

    Raises:
        MediaError: as for `read_texts`.
    """
    embedded = read_embedded(path)
    return embedded.workflow or embedded.prompt


def read_embedded(path: Path) -> Embedded:
    """Both documents inside a picture. One that is not a JSON object counts as absent.

    Some writers begin the keywords with a capital; the usual spelling comes first.

    Raises:
        MediaError: as for `read_texts`.
    """
    texts = read_texts(path)
    texts = {keyword.lower(): text for keyword, text in texts.items()} | texts
    return Embedded(workflow=_document(texts.get(WORKFLOW)), prompt=_document(texts.get(PROMPT)))


def read_texts(path: Path) -> dict[str, str]:
    """Every text inside a picture, by keyword; the last of a keyword counts.

    What is damaged or too large is left out, and the log says so.

    Raises:
        MediaError: it is no PNG, WebP or JPEG, has too many chunks, or its texts are all damaged
            or too large.
    """
    budget = _Budget(path.name)
    try:
        with path.open("rb") as stream:
            head = stream.read(12)
            stream.seek(0)
            if head.startswith(_PNG_SIGNATURE):
                pairs = _png_texts(stream, budget)
            elif head.startswith(b"RIFF") and head[8:] == b"WEBP":
                pairs = _webp_texts(stream, budget)
            elif head.startswith(b"\xff\xd8\xff"):
                pairs = _jpeg_texts(stream, budget)
            else:
                raise MediaError(
                    f"{path.name}: looked for a workflow in a PNG, WebP or JPEG, and this is none"
                )
            texts = dict(pairs)
    except OSError as error:
        raise MediaError(f"{path.name}: cannot be read: {error.strerror}") from error
    if budget.faults and not texts:
        raise MediaError(f"{path.name}: its metadata is damaged: {budget.faults[0]}")
    for fault in budget.faults[:_MOST_LOGGED]:
        _LOGGER.warning("%s: a part of its metadata is left out: %s", path.name, fault)
    return texts


class _Budget:
    """How much text and how many chunks one file may still contain; and what was wrong with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults: list[str] = []
        self._text = MOST_TEXT_IN_ALL
        self._chunks = MOST_CHUNKS

    def chunk(self) -> None:
        self._chunks -= 1
        if self._chunks < 0:
            raise MediaError(f"{self.name}: more than {MOST_CHUNKS:,} chunks; not read")

    def allows(self, size: int) -> bool:
        """Count a text; False where it is too large, or too much with those before it."""
        if size > MOST_TEXT or size > self._text:
            self.faults.append(f"a text is larger than {MOST_TEXT >> 20} MiB, or all texts are")
            return False
        self._text -= size
        return True


class _DamagedTextError(Exception):
    """A text cannot be read; the message says why."""


def _png_texts(stream: BinaryIO, budget: _Budget) -> Iterator[tuple[str, str]]:
    """Texts of a PNG. One that is cut off still gives what came before."""
    stream.seek(len(_PNG_SIGNATURE))
    while len(head := stream.read(8)) == 8:
        budget.chunk()
        size, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            return
        if kind == b"eXIf" and budget.allows(size):
            yield from _exif_texts(stream.read(size), budget)
            stream.seek(4, 1)
            continue
        if kind not in _PNG_TEXT or not budget.allows(size):
            stream.seek(size + 4, 1)
            continue
        body, checksum = stream.read(size), stream.read(4)
        try:
            found = _png_text(kind, body, checksum, budget)
        except _DamagedTextError as error:
            budget.faults.append(str(error))
            continue
        if found is not None:
            yield found


def _png_text(kind: bytes, body: bytes, checksum: bytes, budget: _Budget) -> tuple[str, str] | None:
    """Keyword and text of a chunk (PNG specification, 11.3.3); None: too large, unpacked."""
    name = kind.decode()
    if len(checksum) < 4:
        raise _DamagedTextError(f"a {name} chunk is cut off")
    if zlib.crc32(kind + body) != int.from_bytes(checksum):
        raise _DamagedTextError(f"the checksum of a {name} chunk is wrong")
    keyword, separator, text = body.partition(b"\0")
    if not separator:
        raise _DamagedTextError(f"a {name} chunk has no keyword")
    packed = kind == b"zTXt"
    if packed:
        text = text[1:]
    elif kind == b"iTXt":
        packed, fields = text[:1] == b"\1", text[2:].split(b"\0", 2)
        if len(fields) < 3:
            raise _DamagedTextError("an iTXt chunk is incomplete")
        text = fields[2]
    if packed:
        text = _inflate(text)
        if not budget.allows(len(text)):
            return None
    return keyword.decode("latin-1"), _decode(text)


def _inflate(packed: bytes) -> bytes:
    """A text unpacked, as far as a byte beyond `MOST_TEXT`."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, MOST_TEXT + 1)
    except zlib.error as error:
        raise _DamagedTextError("a packed text cannot be unpacked") from error
    if not unpacker.eof and len(text) <= MOST_TEXT:
        raise _DamagedTextError("a packed text is cut off")
    return text


def _webp_texts(stream: BinaryIO, budget: _Budget) -> Iterator[tuple[str, str]]:
    stream.seek(12)
    while len(head := stream.read(8)) == 8:
        budget.chunk()
        kind, size = struct.unpack("<4sI", head)
        if kind != b"EXIF" or not budget.allows(size):
            stream.seek(size + size % 2, 1)  # an odd chunk is followed by a byte of padding
            continue
        yield from _exif_texts(stream.read(size), budget)
        stream.seek(size % 2, 1)


def _jpeg_texts(stream: BinaryIO, budget: _Budget) -> Iterator[tuple[str, str]]:
    stream.seek(2)
    while (mark := stream.read(2)) and mark[0] == 0xFF:
        budget.chunk()
        if len(mark) < 2 or mark[1] in (0xD9, 0xDA):  # the end, or where pixels begin
            return
        if mark[1] == 0xFF:
            stream.seek(-1, 1)
            continue
        if mark[1] in _JPEG_ALONE:
            continue
        size = int.from_bytes(stream.read(2)) - 2
        if size < 0:
            budget.faults.append("a JPEG segment has no length")
            return
        if mark[1] != 0xE1:
            stream.seek(size, 1)
            continue
        body = stream.read(size)
        if body.startswith(_EXIF_PREFIX):
            yield from _exif_texts(body, budget)


def _exif_texts(block: bytes, budget: _Budget) -> Iterator[tuple[str, str]]:
    """Texts of the form `keyword:{json}`, as savers of WebP spell them, in an EXIF block."""
    try:
        for text in ascii_texts(block.removeprefix(_EXIF_PREFIX), most_bytes=MOST_TEXT):
            keyword, separator, rest = text.partition(b":")
            if separator and keyword.replace(b"_", b"").isalnum():
                yield keyword.decode("latin-1"), _decode(rest)
        comment = user_comment(block.removeprefix(_EXIF_PREFIX), most_bytes=MOST_TEXT)
        if comment:
            yield COMMENT, comment
    except ValueError as error:
        budget.faults.append(str(error))


def _decode(text: bytes) -> str:
    """UTF-8 where it is that: many writers ignore that the format says Latin-1."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _document(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = read_json(text)
    except JsonError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
