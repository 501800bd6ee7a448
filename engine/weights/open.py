"""Opens a weights file by its content, not by its name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from engine.errors import WeightsError
from engine.weights import gguf, pickled, safetensors
from engine.weights.packed import with_packed
from engine.weights.state_dict import StateDict

ZIP_MAGIC = b"PK\x03\x04"
PICKLE_MAGIC = b"\x80"
SAFETENSORS_SUFFIXES = frozenset({".safetensors", ".sft"})
_LOOKED_AT = 512
_LFS = b"version https://git-lfs.github.com/spec/"
_LFS_SIZE = re.compile(rb"^size (\d{1,15})$", re.MULTILINE)
_BOM = b"\xef\xbb\xbf"
PICKLE_SUFFIXES = frozenset({".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl"})


def open_weights(path: Path) -> StateDict:
    """The tensors of a file, lazily, packed ones as one tensor each.

    Raises `WeightsError` for a foreign or damaged file.

    The first bytes decide between the formats; a suffix that contradicts them is refused, so that
    no file called `.safetensors` ever reaches the unpickler.
    """
    return with_packed(open_stored(path))


def open_document(path: Path, wanted: str) -> Any:
    """All that a pickled file holds, for formats that store settings beside tensors.

    Args:
        path: the file.
        wanted: what the file should be, for messages: `a hypernetwork`.

    Raises:
        WeightsError: it is damaged, hostile, or no pickle.
    """
    if is_pickled_file(path):
        return pickled.document(path)
    raise WeightsError(
        f"{path.name}: not {wanted}: begins with {_begin(path)[:16]!r}, expected a PyTorch "
        "archive in a .pt file."
    )


def is_pickled_file(path: Path) -> bool:
    """Whether a file is a pickle and called one. Raises `WeightsError` if it cannot be read."""
    return path.suffix.lower() in PICKLE_SUFFIXES and _is_pickled(_begin(path)[:16])


def _begin(path: Path) -> bytes:
    """The first bytes. Raises `WeightsError` if it cannot be read or is a failed download."""
    try:
        with path.open("rb") as file:
            begin = file.read(_LOOKED_AT)
    except OSError as error:
        raise WeightsError(f"{path.name}: cannot be read: {error}") from error
    if impostor := _impostor(begin):
        raise WeightsError(f"{path.name}: {impostor}")
    return begin


def _is_pickled(start: bytes) -> bool:
    return start[:4] == ZIP_MAGIC or (start[:1] == PICKLE_MAGIC and start[8:9] != b"{")


def open_stored(path: Path) -> StateDict:
    """The same with each stored tensor under its own name. Raises `WeightsError`."""
    suffix, start = path.suffix.lower(), _begin(path)[:16]
    if start[:4] == gguf.MAGIC:
        return gguf.read(path)
    pickled_inside = _is_pickled(start)
    if suffix in SAFETENSORS_SUFFIXES:
        if pickled_inside:
            raise WeightsError(
                f"{path.name}: called {suffix}, but holds a Python pickle; refused. "
                "Get a real safetensors file."
            )
        return safetensors.read(path)
    if start[8:9] == b"{":
        return safetensors.read(path)
    if suffix in PICKLE_SUFFIXES and pickled_inside:
        return pickled.read(path)
    raise WeightsError(
        f"{path.name}: no known weights format: begins with {start!r}, expected a safetensors "
        "header or, in a .ckpt, .pt, .pth or .bin file, a PyTorch archive."
    )


def _impostor(begin: bytes) -> str | None:
    """The kind of file that a failed download left instead of weights; None if it is not one."""
    text = begin.removeprefix(_BOM).lstrip()
    if text.startswith(_LFS):
        size = _LFS_SIZE.search(text)
        of = f" of {int(size[1]):,} bytes" if size else ""
        return (
            f"a Git LFS pointer to a file{of}, not the weights themselves; "
            "get them with `git lfs pull`, or by the download link of their page."
        )
    if text.startswith(b"<"):
        return (
            f"a web page ({_quoted(text)}), not weights; the download went wrong: "
            "it may need a login, or the address of the file itself."
        )
    if len(text) >= len(b"not found") and _is_text(text):
        return (
            f"a text ({_quoted(text)}), not weights; the download went wrong: "
            "what the server answered was saved in their place."
        )
    return None


def _is_text(begin: bytes) -> bool:
    """Whether this is only text; no format of weights begins with that much text."""
    try:
        return begin.decode("utf-8", "strict").replace("\n", "").replace("\r", "").isprintable()
    except UnicodeDecodeError:
        return False


def _quoted(text: bytes) -> str:
    return repr(text[:60].decode("utf-8", "replace"))
