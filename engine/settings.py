"""What the user chose: folders, precision, memory. One frozen value, handed down.

Knows flags and `calotype.toml`; does not know what a folder holds (see `files.py`).
"""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec
import yaml

from engine.errors import SettingsError
from engine.machine import default_cache_bytes, parse_memory

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: its `models/` and `custom_nodes/` are searched whatever the flags say."""

DTYPES = ("auto", "fp32", "bf16", "fp16")
FOLDER_FLAGS: Mapping[str, str] = {
    "user_directory": "everything the app writes (default: user/ in the checkout)",
    "output_directory": "finished pictures (default: output/ in the user directory)",
    "input_directory": "pictures that LoadImage offers (default: input/ in the user directory)",
    "models_directory": "weights, searched before the checkout's models/",
    "extra_model_paths_config": "a YAML file that names further model folders",
    "custom_nodes_directory": "plugins, found before those in the checkout's custom_nodes/",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Every choice of a user, with the defaults filled in.

    Attributes:
        model_folders: further folders of one kind of weights (`checkpoints`, `loras` ...), in the
            order they are searched.
        dtype: `auto`, `fp32`, `bf16` or `fp16`: what the denoiser and the encoders compute in.
        cache_bytes: how much memory cached results may keep.
    """

    user_directory: Path = ROOT / "user"
    output_directory: Path = ROOT / "user" / "output"
    input_directory: Path = ROOT / "user" / "input"
    models_directories: tuple[Path, ...] = (ROOT / "models",)
    model_folders: Mapping[str, tuple[Path, ...]] = field(
        default_factory=dict[str, tuple[Path, ...]]
    )
    custom_nodes_directories: tuple[Path, ...] = (ROOT / "custom_nodes",)
    dtype: str = "auto"
    cache_bytes: int = field(default_factory=default_cache_bytes)

    @property
    def temp_directory(self) -> Path:
        """Previews; may be emptied at any start."""
        return self.user_directory / "temp"

    @property
    def cache_directory(self) -> Path:
        """What can be made again: the measured speed of this machine, listings."""
        return self.user_directory / "cache"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give a parser the flags that every command understands."""
    folders = parser.add_argument_group("folders")
    for name, text in FOLDER_FLAGS.items():
        folders.add_argument("--" + name.replace("_", "-"), type=Path, metavar="PATH", help=text)
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        help="what networks compute in (auto: the fastest that is safe on this machine)",
    )
    parser.add_argument(
        "--cache",
        metavar="SIZE",
        help="memory for cached results: 4GB, 500MB, 0 or a share of the machine's, 10%% "
        "(default: 25%%)",
    )


def settings_from(flags: Mapping[str, Any]) -> Settings:
    """Settings from parsed flags; `calotype.toml` in the user directory fills what they leave out.

    Raises:
        SettingsError: a folder, the configuration file or the YAML file cannot be used.
    """
    user = _folder(flags.get("user_directory") or ROOT / "user")
    chosen = {
        **_configuration(user / "calotype.toml"),
        **{k: v for k, v in flags.items() if v is not None},
    }
    models = [ROOT / "models"]
    if chosen.get("models_directory"):
        own = _folder(chosen["models_directory"])
        if not own.is_dir():
            raise SettingsError(f"--models-directory {own}: there is no such folder")
        models = [own, *(each for each in models if each != own)]
    extra = chosen.get("extra_model_paths_config")
    dtype = str(chosen.get("dtype") or "auto")
    if dtype not in DTYPES:
        raise SettingsError(f"dtype {dtype!r}: choose one of {', '.join(DTYPES)}")
    return Settings(
        user_directory=user,
        output_directory=_folder(chosen.get("output_directory") or user / "output"),
        input_directory=_folder(chosen.get("input_directory") or user / "input"),
        models_directories=tuple(models),
        model_folders=read_extra_model_paths(Path(extra)) if extra else {},
        custom_nodes_directories=_plugins(chosen.get("custom_nodes_directory")),
        dtype=dtype,
        cache_bytes=_cache_bytes(chosen.get("cache")),
    )


def _cache_bytes(chosen: object) -> int:
    """Bytes for cached results.

    Raises:
        SettingsError: it is no amount of memory, or more than the machine has.
    """
    if chosen is None:
        return default_cache_bytes()
    try:
        return parse_memory(str(chosen))
    except SettingsError as error:
        raise SettingsError(f"--cache {error}") from error


def _plugins(chosen: str | Path | None) -> tuple[Path, ...]:
    """The folders of plugins, the user's own first.

    Raises:
        SettingsError: there is no such folder.
    """
    if not chosen:
        return (ROOT / "custom_nodes",)
    own = _folder(chosen)
    if not own.is_dir():
        raise SettingsError(f"--custom-nodes-directory {own}: there is no such folder")
    return tuple(dict.fromkeys((own, ROOT / "custom_nodes")))


def read_extra_model_paths(path: Path) -> dict[str, tuple[Path, ...]]:
    """The incumbent's `extra_model_paths.yaml`: sections of `kind: folder` below a `base_path`.

    A section marked `is_default: true` is searched first. A value may hold several lines, one
    folder each; `~` and environment variables are expanded; a relative `base_path` counts from the
    file's own folder.

    Raises:
        SettingsError: the file is missing or not of that form.
    """
    try:
        document = yaml.safe_load(path.expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"--extra-model-paths-config {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"--extra-model-paths-config {path}: not YAML: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise SettingsError(
            f"--extra-model-paths-config {path}: expected sections of `kind: folder`"
        )
    first: dict[str, list[Path]] = {}
    later: dict[str, list[Path]] = {}
    for name, section in cast("dict[str, Any]", document).items():
        if section is None:
            continue
        if not isinstance(section, dict):
            raise SettingsError(f"{path}: section {name!r} should hold lines of `kind: folder`")
        entries = dict(cast("dict[str, Any]", section))
        target = first if entries.pop("is_default", False) else later
        base = _folder(entries.pop("base_path", None) or "", relative_to=path.expanduser().parent)
        for kind, folders in entries.items():
            lines = [line.strip() for line in str(folders).splitlines() if line.strip()]
            target.setdefault(kind, []).extend(_folder(line, relative_to=base) for line in lines)
    return {
        kind: tuple(dict.fromkeys(first.get(kind, []) + later.get(kind, [])))
        for kind in {**first, **later}
    }


def settings_to_json(settings: Settings) -> str:
    """For another process of ours; `settings_from_json` reads it."""
    return msgspec.json.encode(settings, enc_hook=str).decode()


def settings_from_json(text: str) -> Settings:
    """Settings as `settings_to_json` wrote them."""
    return msgspec.json.decode(text, type=Settings, dec_hook=lambda kind, value: kind(value))


def _folder(path: str | Path, *, relative_to: Path | None = None) -> Path:
    expanded = Path(os.path.expandvars(path)).expanduser()
    return ((relative_to or Path.cwd()) / expanded).resolve()


def _configuration(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: not a TOML file: {error}") from error
    known: Sequence[str] = [
        *(name for name in FOLDER_FLAGS if name != "user_directory"),
        "dtype",
        "cache",
    ]
    if unknown := sorted(set(found) - set(known)):
        raise SettingsError(f"{path}: unknown {', '.join(unknown)}; known are {', '.join(known)}")
    return {
        name: path.parent / str(value) if name in FOLDER_FLAGS else value
        for name, value in found.items()
    }
