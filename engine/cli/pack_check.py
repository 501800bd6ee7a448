"""`packs check`: says of packs, without executing them, whether they would load here."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from engine.cli.report import DONE, FAILED
from engine.errors import CalotypeError
from engine.packs.found import Pack, pack_at, packs_in
from engine.packs.host_names import HostNames
from engine.packs.requirements import read_installed
from engine.packs.static import IMPORTS, PackReading, read_pack

_MANY = 3
"""From this number of packs on there is a table only; fewer are described in detail."""


def check_packs(folders: Sequence[Path], *, as_json: bool) -> int:
    """Read the packs and print a line or a table; returns the exit code.

    Args:
        folders: packs, or folders that hold packs.
        as_json: print all that was found, for a program.

    Raises:
        CalotypeError: a folder does not exist or holds no pack.
    """
    packs = list(_packs(folders))
    host = HostNames()
    modules: dict[str, bool] = {}
    here = read_installed()
    # Syntax trees are many objects without circles: looking for these takes a third of the time.
    gc.disable()
    try:
        readings = [read_pack(pack, host, modules, here) for pack in packs]
    finally:
        gc.enable()
    if as_json:
        plain = [
            {
                **asdict(each),
                "state": each.state,
                "verdict": each.verdict(),
                "count": each.count,
            }
            for each in readings
        ]
        sys.stdout.write(json.dumps(plain, indent=2) + "\n")
    else:
        _print(readings)
    return DONE if all(each.state == IMPORTS for each in readings) else FAILED


def _packs(folders: Sequence[Path]) -> Iterable[Pack]:
    for folder in folders:
        if not folder.exists():
            raise CalotypeError(f"there is no {folder}; give a pack, or a folder of packs")
        is_pack = folder.is_file() or (folder / "__init__.py").is_file()
        pack = pack_at(folder) if is_pack else None
        found = [pack] if pack is not None else list(packs_in(folder)) if folder.is_dir() else []
        if not found:
            raise CalotypeError(
                f"{folder} is no pack and holds none: a pack is a folder with __init__.py, or a "
                ".py file"
            )
        yield from found


def _print(readings: Sequence[PackReading]) -> None:
    width = max(len(each.name) for each in readings)
    digits = max(len(each.count) for each in readings)
    for each in readings:
        noun = "node " if each.count == "1" else "nodes"
        sys.stdout.write(f"{each.name:<{width}}  {each.count:>{digits}} {noun}  {each.verdict()}\n")
        if len(readings) < _MANY:
            for line in _details(each):
                sys.stdout.write(f"    {line}\n")
    if len(readings) >= _MANY:
        good = sum(each.state == IMPORTS for each in readings)
        sys.stdout.write(
            f"{good} of {len(readings)} import; `packs check` with one pack lists the names\n"
        )


def _details(reading: PackReading) -> Iterable[str]:
    parts = (
        ("may be named here, but not called", reading.placeholders),
        ("does not exist here", reading.absent),
        ("needed later or under a condition, not installed", list(reading.maybe)),
        ("cannot be read", [f"{name}: {why}" for name, why in reading.errors.items()]),
        ("nodes", reading.nodes),
    )
    for title, names in parts:
        if names:
            yield f"{title}: {', '.join(names)}"
    if reading.computed:
        yield "it imports files by computed names: any of its files may be meant"
