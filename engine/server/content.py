"""The media type of a file, detected from its first bytes, and which types a browser may show."""

from __future__ import annotations

from pathlib import Path

_HEAD = 32
UNKNOWN = "application/octet-stream"


def content_type(head: bytes) -> str:
    """The media type of a file that begins with these bytes; unknown ones are only downloaded."""
    for start, kind in (
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"\x1aE\xdf\xa3", "video/webm"),
        (b"OggS", "audio/ogg"),
        (b"fLaC", "audio/flac"),
        (b"ID3", "audio/mpeg"),
        (b"glTF", "model/gltf-binary"),
    ):
        if head.startswith(start):
            return kind
    if head.startswith(b"RIFF"):
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12], UNKNOWN)
    if head[4:8] == b"ftyp":
        return "image/avif" if head[8:12] in {b"avif", b"avis"} else "video/mp4"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:
        return "audio/mpeg"
    return UNKNOWN


def type_of_file(path: Path) -> str:
    """The same for a file."""
    with path.open("rb") as stream:
        return content_type(stream.read(_HEAD))
