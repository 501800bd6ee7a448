"""Opens a weights file by what it is, not by what it is called. Knows no architecture."""

from __future__ import annotations

from pathlib import Path

from engine.errors import WeightsError
from engine.weights import pickled, safetensors
from engine.weights.state_dict import StateDict

ZIP_MAGIC = b"PK\x03\x04"
PICKLE_MAGIC = b"\x80"
GGUF_MAGIC = b"GGUF"
SAFETENSORS_SUFFIXES = frozenset({".safetensors", ".sft"})
PICKLE_SUFFIXES = frozenset({".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl"})


def open_weights(path: Path) -> StateDict:
    """The tensors of a file, lazily. Raises `WeightsError` for a foreign or damaged file.

    The first bytes decide between the formats; a suffix that contradicts them is refused, so that
    no file called `.safetensors` ever reaches the unpickler.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise WeightsError(f"{path.name}: cannot be read: {error}") from error
    suffix = path.suffix.lower()
    if start[:4] == GGUF_MAGIC:
        raise WeightsError(f"{path.name}: a GGUF file; Calotype does not read GGUF yet.")
    pickled_inside = start[:4] == ZIP_MAGIC or (start[:1] == PICKLE_MAGIC and start[8:9] != b"{")
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
    if start.lstrip()[:1] == b"<" or start.startswith(b"version https://git"):
        raise WeightsError(
            f"{path.name}: a web page or a pointer to a file ({start!r}), not weights; "
            "the download went wrong."
        )
    raise WeightsError(
        f"{path.name}: no known weights format: begins with {start!r}, expected a safetensors "
        "header or, in a .ckpt, .pt, .pth or .bin file, a PyTorch archive."
    )
