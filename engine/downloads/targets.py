"""Where a downloaded file goes: below a folder of models, never elsewhere, under a plain name.

Names and kinds are from strangers. Only formats that run nothing are taken without a warning.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import FilesError
from engine.files import Files
from engine.folder_kinds import ALIASES, INPUT_FOLDERS, INPUT_MEDIA, OFFERED
from engine.graph.declared import kind_of_folder
from engine.paths import PLACES, BadNameError, resolve
from engine.settings import Settings
from engine.tokenizer_sources import TOKENIZERS

SAFE_SUFFIXES = frozenset({".safetensors", ".sft", ".gguf"})
PICKLED_SUFFIXES = frozenset({".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl", ".onnx"})
"""Formats that can hold programs, or need readers that were not made for hostile files."""
TOKENIZER_SUFFIXES = frozenset({".json", ".model"})
_MOST_FOLDERS = 4
_RESERVED = frozenset({*PLACES, INPUT_FOLDERS, *INPUT_MEDIA, *OFFERED, "custom_nodes", "configs"})


@dataclass(frozen=True, slots=True)
class Target:
    """A place for a new file.

    Attributes:
        kind: of the folder, `checkpoints`.
        name: below it, with `/`.
        path: of the file.
        warning: what the user must confirm first; None for formats that run nothing.
    """

    kind: str
    name: str
    path: Path
    warning: str | None


def plan_target(kind: str | None, name: str, files: Files, settings: Settings) -> Target:
    """The place for a file of that kind and name. Makes nothing.

    Raises:
        FilesError: the kind is no folder of models, the name leads out of it or is no file name
            for every system, or the format is none of weights.
    """
    shown = ascii(name[:200])
    folder = models_folder(kind, files, settings)
    suffix = Path(name).suffix.lower()
    plain = ALIASES.get(kind or "", kind or "")
    allowed = TOKENIZER_SUFFIXES if plain == TOKENIZERS else SAFE_SUFFIXES | PICKLED_SUFFIXES
    if suffix not in allowed:
        raise FilesError(
            f"{shown}: only files of weights are downloaded ({', '.join(sorted(allowed))}), "
            f"found {suffix or 'no suffix'!r}"
        )
    parts = name.split("/")
    if len(parts) > _MOST_FOLDERS or any(each.startswith(".") or not each for each in parts):
        raise FilesError(f"{shown}: a folder or file of this name is hidden, empty or too deep")
    if not name.isprintable() or any(each != each.strip() for each in parts):
        raise FilesError(f"{shown}: the name has characters that cannot be seen")
    try:
        path = resolve(folder, name)
    except BadNameError as error:
        raise FilesError(f"{shown}: {error}; choose another name") from error
    return Target(plain, name, path, _warning(suffix) if plain != TOKENIZERS else None)


def models_folder(kind: str | None, files: Files, settings: Settings) -> Path:
    """The folder where new files of a kind go: the first that can be written, or can be made.

    Raises:
        FilesError: the kind is none, or has no folder among those of models.
    """
    if kind in _RESERVED:
        raise FilesError(f"{kind}: this is no folder of models; fetch the file by hand")
    if kind is None or kind_of_folder(kind) is None:
        raise FilesError(
            "the workflow does not say which folder of models the file belongs to; "
            "fetch it by hand, and put it where its node looks for it"
        )
    ours = [Path(os.path.abspath(each)) for each in _model_roots(settings)]  # noqa: PTH100 - links stay
    found = [
        each
        for each in files.folders(kind)
        if any(Path(os.path.abspath(each)).is_relative_to(root) for root in ours)  # noqa: PTH100
    ]
    for each in found:
        # A folder of models that is missing as a whole may be on a drive that is not connected.
        place = each if each.is_dir() else each.parent
        is_free = place == each or not each.exists()
        if is_free and place.is_dir() and os.access(place, os.W_OK | os.X_OK):
            return each
    if found:
        raise FilesError(f"{found[0]}: this folder cannot be written; fetch the file by hand")
    raise FilesError(
        f"files of the kind {kind} are kept outside of the folders of models, where nothing is "
        "downloaded; fetch the file by hand"
    )


def _model_roots(settings: Settings) -> list[Path]:
    extra: Mapping[str, tuple[Path, ...]] = settings.model_folders
    named = [path for kind, paths in extra.items() if kind not in _RESERVED for path in paths]
    return [*settings.models_directories, *named]


def _warning(suffix: str) -> str | None:
    if suffix in SAFE_SUFFIXES:
        return None
    return (
        f"{suffix} files can contain programs. This studio reads them without running any, other "
        "programs do not. Download it only from somebody you trust; prefer .safetensors"
    )
