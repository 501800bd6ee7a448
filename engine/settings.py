"""What the user chose: folders, precision, memory. One frozen value, passed as an argument.

Reads flags and `calotype.toml`; what a folder holds is read by `files.py`.
"""

from __future__ import annotations

import argparse
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec

from engine.errors import SettingsError
from engine.machine import Amount, default_cache_bytes, parse_amount, parse_memory
from engine.model_paths import read_model_paths, resolve_folder

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: its `models/` and `custom_nodes/` are searched whatever the flags say."""

_EXTRA = "extra_model_paths_config"
_DEVICE = re.compile(r"auto|cpu|cuda(:[0-9]{1,3})?")
_AMOUNTS = ("cache", "vram", "reserve_vram")
PACK_SECONDS = 60.0
DTYPES = ("auto", "fp32", "bf16", "fp16")
FOLDER_FLAGS: Mapping[str, str] = {
    "user_directory": "everything the app writes (default: user/ in the checkout)",
    "base_directory": "holds models/, custom_nodes/, input/, output/, temp/ and user/",
    "output_directory": "finished pictures (default: output/ in the user directory)",
    "input_directory": "pictures that LoadImage offers (default: input/ in the user directory)",
    "temp_directory": "holds temp/, where previews are (default: the user directory)",
    "models_directory": "weights, searched before the checkout's models/",
    "extra_model_paths_config": "YAML files that name further model folders; again for more",
    "custom_nodes_directory": "plugins, found before those in the checkout's custom_nodes/",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Every choice of a user, with the defaults filled in.

    Attributes:
        model_folders: further folders of one kind of weights (`checkpoints`, `loras` ...), in the
            order they are searched.
        plugins: the only plugins to load, by the names of their folders; None for all.
        pack_seconds: how long the import of one plugin may take before it counts as hung.
        device: `auto`, `cpu`, `cuda` or `cuda:N`: what computes.
        dtype: `auto`, `fp32`, `bf16` or `fp16`: what the denoiser and the encoders compute in.
        cache_bytes: how much memory cached results may take.
        vram: memory of the device for weights and activations; None for most of what is free when
            the worker starts.
        reserve_vram: memory of the device that is left to other programs.
        resident: how much of the weights may stay on the device between their uses, the rest is
            streamed block by block; None for as much as fits.
        preview_method: the preview method of prompts that choose none: `none`, `auto`,
            `latent2rgb` or `taesd`.
        embed_metadata: whether pictures carry the workflow that made them.
        temp_parent: where `temp/` is; None for the user directory. Not `temp/` itself: it is
            emptied at the start, and the user may have named a folder with files of theirs.
        notes: sentences on what the user should know of these choices.
    """

    user_directory: Path = ROOT / "user"
    output_directory: Path = ROOT / "user" / "output"
    input_directory: Path = ROOT / "user" / "input"
    models_directories: tuple[Path, ...] = (ROOT / "models",)
    model_folders: Mapping[str, tuple[Path, ...]] = field(
        default_factory=dict[str, tuple[Path, ...]]
    )
    custom_nodes_directories: tuple[Path, ...] = (ROOT / "custom_nodes",)
    plugins: tuple[str, ...] | None = None
    pack_seconds: float = PACK_SECONDS
    device: str = "auto"
    dtype: str = "auto"
    cache_bytes: int = field(default_factory=default_cache_bytes)
    vram: Amount | None = None
    reserve_vram: Amount = field(default_factory=Amount)
    resident: Amount | None = None
    preview_method: str = "none"
    embed_metadata: bool = True
    temp_parent: Path | None = None
    notes: tuple[str, ...] = ()

    @property
    def temp_directory(self) -> Path:
        """Previews; may be emptied at any start."""
        return (self.temp_parent or self.user_directory) / "temp"

    @property
    def cache_directory(self) -> Path:
        """What can be made again: the measured speed of this machine, listings."""
        return self.user_directory / "cache"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give a parser the flags that every command understands."""
    folders = parser.add_argument_group("folders")
    for name, text in FOLDER_FLAGS.items():
        several = name == _EXTRA
        folders.add_argument(
            _flag(name),
            type=_path,
            nargs="+" if several else None,
            action="append" if several else "store",
            metavar="PATH",
            help=text,
        )
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="what computes: cpu, cuda or cuda:N (default: a CUDA device, or else the CPU)",
    )
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
    parser.add_argument(
        "--vram",
        metavar="SIZE",
        help="memory of the device for weights and computing, never exceeded: 4GB, 50%% "
        "(default: most of what is free); on the CPU it is main memory",
    )
    parser.add_argument(
        "--reserve-vram",
        metavar="SIZE",
        help="memory of the device to leave to other programs: 2GB, or 2 (default: 0)",
    )

    parser.add_argument(
        "--disable-metadata",
        dest="embed_metadata",
        action="store_const",
        const=False,
        help="write no workflow, prompt or record into saved files",
    )


def add_pack_flags(parser: argparse.ArgumentParser) -> None:
    """Give a parser the flags of every command that loads plugins."""
    parser.add_argument(
        "--pack-timeout",
        type=_seconds,
        metavar="SECONDS",
        help="a plugin whose import takes longer counts as hung (default: 60)",
    )


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("expected a number of seconds above 0, as in 120")
    return number


def settings_from(flags: Mapping[str, Any]) -> Settings:
    """Settings from parsed flags; `calotype.toml` in the user directory fills what they leave out.

    Raises:
        SettingsError: a folder, the configuration file or the YAML file cannot be used.
    """
    base = flags.get("base_directory")
    if base is not None:
        base = _existing(base, "--base-directory")
    user = resolve_folder(
        flags.get("user_directory") or (base or ROOT) / "user", "--user-directory"
    )
    chosen = {
        **_configuration(user / "calotype.toml"),
        **{k: v for k, v in flags.items() if v is not None},
    }
    dtype = chosen.get("dtype") or "auto"
    if dtype not in DTYPES:
        raise SettingsError(f"dtype {dtype!r}: choose one of {', '.join(DTYPES)}")
    extra = read_model_paths(_paths(chosen.get(_EXTRA)))
    beside = base or user
    return Settings(
        user_directory=user,
        output_directory=_chosen(chosen, "output_directory", beside / "output"),
        input_directory=_chosen(chosen, "input_directory", beside / "input"),
        models_directories=_searched(chosen, "models_directory", base, "models"),
        model_folders=extra.folders,
        custom_nodes_directories=tuple(
            dict.fromkeys(
                (*_searched(chosen, "custom_nodes_directory", base, "custom_nodes"), *extra.plugins)
            )
        ),
        plugins=chosen.get("plugins"),
        pack_seconds=chosen.get("pack_timeout") or PACK_SECONDS,
        device=_device(chosen.get("device")),
        dtype=dtype,
        cache_bytes=_cache_bytes(chosen.get("cache")),
        vram=_vram(chosen.get("vram")),
        reserve_vram=_amount(chosen.get("reserve_vram"), "--reserve-vram") or Amount(),
        resident=_amount(chosen.get("resident"), "--lowvram"),
        preview_method=chosen.get("preview_method") or "none",
        embed_metadata=chosen.get("embed_metadata", True),
        temp_parent=_chosen(chosen, "temp_directory", beside),
        notes=extra.notes,
    )


def _chosen(chosen: Mapping[str, Any], name: str, default: Path) -> Path:
    """The folder that a flag names."""
    return resolve_folder(chosen.get(name) or default, _flag(name))


def _searched(
    chosen: Mapping[str, Any], name: str, base: Path | None, folder: str
) -> tuple[Path, ...]:
    """Where weights or plugins are searched: the user's own folder, and the checkout's.

    Raises:
        SettingsError: there is no folder of the user's own.
    """
    own = [_existing(chosen[name], _flag(name))] if chosen.get(name) else []
    own += [] if base is None else [base / folder]
    return tuple(dict.fromkeys((*own, ROOT / folder)))


def _existing(path: str | Path, flag: str) -> Path:
    found = resolve_folder(path, flag)
    if not os.path.isdir(found):  # noqa: PTH112 - Path's own raises where it may not look
        raise SettingsError(f"{flag} {found}: there is no such folder")
    return found


def _device(chosen: object) -> str:
    name = str(chosen or "auto").lower()
    if not _DEVICE.fullmatch(name):
        raise SettingsError(f"--device {chosen}: choose auto, cpu, cuda or cuda:N, as in cuda:1")
    return name


def _paths(given: object) -> list[Path]:
    """The files of a flag that may be given several times, each time with several."""
    if given is None:
        return []
    if isinstance(given, list):
        return [path for each in cast("list[object]", given) for path in _paths(each)]
    return [Path(str(given))]


def _path(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a path, found nothing")
    return text


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


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


def _vram(chosen: object) -> Amount | None:
    """Memory of the device.

    Raises:
        SettingsError: it is no amount of memory, or none at all.
    """
    amount = _amount(chosen, "--vram")
    if amount is not None and amount.is_nothing:
        raise SettingsError(
            f"--vram {str(chosen)[:40]!r} leaves no memory to compute in: write 4GB, or a share "
            "such as 50%; --novram keeps no weights there, and --cpu computes without the device"
        )
    return amount


def _amount(chosen: object, flag: str) -> Amount | None:
    """An amount of device memory, whose size only the worker knows."""
    if chosen is None:
        return None
    try:
        amount = parse_amount(str(chosen))
    except SettingsError as error:
        raise SettingsError(f"{flag} {error}") from error
    if amount.share is not None and amount.share > 1:
        raise SettingsError(f"{flag} {str(chosen)[:40]!r} is more than the whole: write 100%")
    return amount


def settings_to_json(settings: Settings) -> str:
    """Settings for another of our processes; `settings_from_json` reads them."""
    return msgspec.json.encode(settings, enc_hook=str).decode()


def settings_from_json(text: str) -> Settings:
    """Settings as `settings_to_json` wrote them."""
    return msgspec.json.decode(text, type=Settings, dec_hook=lambda kind, value: kind(value))


def _configuration(path: Path) -> dict[str, Any]:
    if not os.path.isfile(path):  # noqa: PTH113 - Path's own raises where it may not look
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{path}: not a TOML file: {error}") from error
    known: Sequence[str] = [
        *(name for name in FOLDER_FLAGS if name not in {"user_directory", "base_directory"}),
        "device",
        "dtype",
        "embed_metadata",
        *_AMOUNTS,
    ]
    if unknown := sorted(set(found) - set(known)):
        raise SettingsError(f"{path}: unknown {', '.join(unknown)}; known are {', '.join(known)}")
    for name, value in found.items():
        if name in FOLDER_FLAGS:
            found[name] = _configured_paths(path, name, value)
        elif name == "embed_metadata":
            if not isinstance(value, bool):
                raise SettingsError(f"{path}: {name} should be true or false, found {value!r}")
        elif name not in _AMOUNTS and not isinstance(value, str):
            raise SettingsError(f"{path}: {name} should be a text, found {value!r}")
    return found


def _configured_paths(path: Path, name: str, value: object) -> Path | list[Path]:
    """The folder of an entry, counted from the file's own; of several files a list."""
    if name == _EXTRA and isinstance(value, list):
        return [
            Path(str(_configured_paths(path, name, each))) for each in cast("list[object]", value)
        ]
    if not isinstance(value, str) or not value.strip():
        raise SettingsError(f"{path}: {name} should be the path of a folder, found {value!r}")
    return path.parent / Path(os.path.expandvars(value)).expanduser()
