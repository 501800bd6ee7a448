"""Names of tiny autoencoders from the names of their files in `vae_approx/`. Opens no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

TINY_AUTOENCODERS = ("taesd", "taesdxl", "taesd3", "taef1")
"""The names of releases, by which their files are recognised: their tensors do not show them."""
ENCODER, DECODER = "_encoder", "_decoder"


def tiny_files(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """The files of a tiny autoencoder: `NAME` with both halves, or `NAME_encoder`, `NAME_decoder`.

    Args:
        name: of `TINY_AUTOENCODERS`.
        names: all files of `vae_approx`.

    Returns:
        the decoder's file first, the encoder's after it where there is one; empty without a
        decoder.
    """
    by_stem = _by_stem(names)
    if name in by_stem:
        return (by_stem[name],)
    halves = (by_stem.get(name + ending) for ending in (DECODER, ENCODER))
    decoder, encoder = halves
    if decoder is None:
        return ()
    return (decoder,) if encoder is None else (decoder, encoder)


def complete_tiny(names: Iterable[str]) -> list[str]:
    """The tiny autoencoders that can also encode: those with one file of both halves, or two."""
    by_stem = _by_stem(names)
    return [
        name
        for name in TINY_AUTOENCODERS
        if name in by_stem or all(name + ending in by_stem for ending in (ENCODER, DECODER))
    ]


def _by_stem(names: Iterable[str]) -> Mapping[str, str]:
    """Files by their name without folder and ending; of several the first."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(PurePosixPath(name).stem.lower(), name)
    return found
