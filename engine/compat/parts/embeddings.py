"""Finds textual inversions for plugins: by name, in the folders that `folder_paths` lists."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from engine.compat.install import host_module
from engine.errors import WeightsError
from engine.inference.encode import textual_inversion

SUFFIXES = ("", ".safetensors", ".pt", ".bin")
Directories = str | Path | Sequence[str | Path] | None
"""Folders of embeddings; None: those of `folder_paths`."""


def expand_directory_list(directories: Sequence[str | Path]) -> list[str]:
    """The directories and every directory below them, links followed."""
    found: dict[str, None] = {}
    for directory in directories:
        found[str(directory)] = None
        below = sorted(path for path in Path(directory).rglob("*") if path.is_dir())
        found |= dict.fromkeys(str(path) for path in below)
    return list(found)


def load_embed(
    embedding_name: str,
    embedding_directory: Directories,
    embedding_size: int,
    embed_key: str | None = None,
) -> Tensor | None:
    """The vectors [N, D] of an embedding; None if there is none that fits.

    Args:
        embedding_name: of the file, with or without its suffix.
        embedding_directory: where to look, subfolders included by name only.
        embedding_size: the length of a vector; others are not used.
        embed_key: the encoder whose vectors are read if a file holds those of several.
    """
    path = _locate(embedding_name, embedding_directory)
    if path is None:
        return None
    try:
        found = textual_inversion(path, encoder=embed_key or "clip_l")
    except WeightsError as error:
        logging.getLogger(__name__).warning("embedding:%s is left out: %s", embedding_name, error)
        return None
    if found.shape[-1] != embedding_size:
        logging.getLogger(__name__).warning(
            "embedding:%s is left out: its vectors have %d numbers, this text encoder takes %d",
            embedding_name,
            found.shape[-1],
            embedding_size,
        )
        return None
    return found


def _locate(name: str, directories: Directories) -> Path | None:
    if directories is None:
        directories = host_module("folder_paths").get_folder_paths("embeddings")
    if isinstance(directories, str | Path):
        directories = [directories]
    for directory in directories or ():
        root = Path(directory).resolve()
        for suffix in SUFFIXES:
            path = Path(directory, f"{name}{suffix}")
            try:
                is_inside = path.resolve().is_relative_to(root) or path.is_symlink()
                if is_inside and ".." not in Path(name).parts and path.is_file():
                    return path
            except (OSError, ValueError):  # such as a name that is too long
                continue
    return None
