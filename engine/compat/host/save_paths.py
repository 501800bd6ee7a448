"""`folder_paths`: the input, output and temporary folders, and names of new files in them."""

from __future__ import annotations

import mimetypes
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.prefixes import format_date

_PLACES = ("output", "input", "temp")
_MEDIA = {
    "image": ("image/",),
    "video": ("video/",),
    "audio": ("audio/",),
    "model": ("model/",),
}
extension_mimetypes_cache: dict[str, str] = {
    "webp": "image",
    "fbx": "model",
    "glb": "model",
    "gltf": "model",
    "obj": "model",
    "stl": "model",
    "ply": "model",
}
"""Kinds of files by suffix, where the system may not know them."""
_TOKENS = {
    "year": "yyyy",
    "month": "MM",
    "day": "dd",
    "hour": "hh",
    "minute": "mm",
    "second": "ss",
}


def _module() -> Any:
    return sys.modules["folder_paths"]


def get_output_directory() -> str:
    """Where finished results go."""
    return _module().output_directory


def get_input_directory() -> str:
    """Where files to load are."""
    return _module().input_directory


def get_temp_directory() -> str:
    """Where previews go; emptied at a start."""
    return _module().temp_directory


def get_user_directory() -> str:
    """Where settings and the like are stored."""
    return _module().user_directory


def set_output_directory(output_dir: str) -> None:
    """Use another folder for what plugins save."""
    _module().output_directory = output_dir


def set_input_directory(input_dir: str) -> None:
    """Use another folder for what plugins load."""
    _module().input_directory = input_dir


def set_temp_directory(temp_dir: str) -> None:
    """Use another folder for plugins' previews."""
    _module().temp_directory = temp_dir


def set_user_directory(user_dir: str) -> None:
    """Use another folder for plugins' settings."""
    _module().user_directory = user_dir


def get_system_user_directory(name: str = "system") -> str:
    """A folder of the user directory that is not served: `__system`."""
    return str(Path(get_user_directory(), f"__{name}"))


def get_public_user_directory(user_id: str) -> str | None:
    """A user's own folder; None for names that are reserved or no name."""
    if not user_id or user_id.startswith("__") or Path(user_id).name != user_id:
        return None
    return str(Path(get_user_directory(), user_id))


def get_directory_by_type(type_name: str) -> str | None:
    """The folder that `output`, `input` or `temp` means; None for another word."""
    if type_name not in _PLACES:
        return None
    return getattr(_module(), f"{type_name}_directory")


def get_directory(type_name: str) -> str | None:
    """The same, by its former name."""
    return get_directory_by_type(type_name)


def get_input_subfolders() -> list[str]:
    """The folders below the input folder, with `/`, sorted."""
    root = get_input_directory()
    found = [os.path.relpath(folder, root) for folder, _, _ in os.walk(root)]
    return sorted(each.replace(os.sep, "/") for each in found if each != ".")


def annotated_filepath(name: str) -> tuple[str, str | None]:
    """`x.png [output]` as `x.png` and the folder; the folder is None where none is named."""
    for place in _PLACES:
        if name.endswith(f"[{place}]"):
            return name[: -len(place) - 2].removesuffix(" "), get_directory_by_type(place)
    return name, None


def get_annotated_filepath(name: str, default_dir: str | None = None) -> str:
    """The path that `x.png [output]` means; else in `default_dir` or the input folder."""
    plain, folder = annotated_filepath(name)
    return os.path.join(folder or default_dir or get_input_directory(), plain)  # noqa: PTH118


def exists_annotated_filepath(name: str) -> bool:
    """Whether there is such a file or folder."""
    return Path(get_annotated_filepath(name)).exists()


def filter_files_content_types(files: Sequence[str], content_types: Sequence[str]) -> list[str]:
    """The files that are an `image`, a `video`, `audio` or a 3D `model`, by their suffixes."""
    return [each for each in files if _content_type(each) in content_types]


def _content_type(file: str) -> str | None:
    suffix = file.rpartition(".")[2].lower()
    if suffix in extension_mimetypes_cache:
        return extension_mimetypes_cache[suffix]
    guessed = mimetypes.guess_type(file, strict=False)[0] or ""
    return next((kind for kind, starts in _MEDIA.items() if guessed.startswith(starts)), None)


def get_save_image_path(
    filename_prefix: str, output_dir: str, image_width: int = 0, image_height: int = 0
) -> tuple[str, str, int, str, str]:
    """Where to save files with that prefix; the folder is made.

    Args:
        filename_prefix: may hold `/`, and `%width%`, `%height%`, `%year%`, `%month%`, `%day%`,
            `%hour%`, `%minute%`, `%second%` and `%date:yyyy-MM-dd%`.
        output_dir: the folder it is relative to.
        image_width: of the picture.
        image_height: of the picture.

    Returns:
        The folder, the stem, the first number free, the folder relative to `output_dir`, and the
        prefix with its tokens filled in. The files are to be called `stem_00001_.png`.

    Raises:
        ValueError: the prefix leads out of `output_dir`.
    """
    prefix = _filled(filename_prefix, image_width, image_height)
    named = os.path.normpath(prefix)
    subfolder, stem = os.path.split(named)
    root = os.path.realpath(output_dir)
    folder = os.path.join(output_dir, subfolder)  # noqa: PTH118 - plugins compare these texts
    if not Path(os.path.realpath(folder)).is_relative_to(root):
        raise ValueError(
            f"the file name prefix {filename_prefix!r} leads out of {output_dir}; "
            "name a folder inside it, as in 'portraits/anna'"
        )
    pattern = re.compile(re.escape(os.path.normcase(stem)) + r"_([0-9]{1,18})(?:_.*)?$", re.DOTALL)
    try:
        matches = [pattern.match(os.path.normcase(name)) for name in os.listdir(folder)]  # noqa: PTH208
    except FileNotFoundError:
        Path(folder).mkdir(parents=True, exist_ok=True)
        matches = []
    counter = max((int(match[1]) for match in matches if match), default=0) + 1
    return folder, stem, counter, subfolder, prefix


def _filled(prefix: str, width: int, height: int) -> str:
    if "%" not in prefix:
        return prefix
    now = time.localtime()
    prefix = re.sub(r"%date:([^%]*)%", lambda match: format_date(match[1], now), prefix)
    for word, form in _TOKENS.items():
        prefix = prefix.replace(f"%{word}%", format_date(form, now))
    return prefix.replace("%width%", str(width)).replace("%height%", str(height))
