"""Loads packs for `run` and `check`, in this process, which nobody supervises.

A file names the pack that is imported: if it ends the process, the next command leaves it out.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from pathlib import Path

import msgspec
import psutil

from engine.atomic import write_atomically
from engine.errors import FilesError
from engine.packs.found import has_packs
from engine.packs.plan import find_pack, make_plan
from engine.packs.preferences import packs_folder
from engine.packs.records import Fault, read_faults, write_faults
from engine.settings import Settings
from engine.wire.pack_messages import CRASHED, PackLoaded, PackLoading, PackMessage, PacksReady
from engine.worker.loop import Worker
from engine.worker.packs import WorkerPacks


class _Importing(msgspec.Struct, frozen=True):
    """The pack that a process imports now."""

    name: str
    pid: int


def worker_with_packs(settings: Settings) -> Worker:
    """A worker that has loaded the packs; what they print goes to standard error."""
    worker = Worker(settings)
    if not has_packs(settings):
        return worker
    path = packs_folder(settings) / "importing.json"
    _blame(settings, path)

    def note(message: PackMessage) -> None:
        if isinstance(message, PackLoading):
            _write(path, message.name)
        elif isinstance(message, PackLoaded | PacksReady):
            path.unlink(missing_ok=True)

    try:
        with quiet_output():
            WorkerPacks(worker, settings, make_plan(settings), note).load()
    finally:
        path.unlink(missing_ok=True)
    return worker


@contextlib.contextmanager
def quiet_output() -> Generator[None]:
    """What is printed meanwhile goes to standard error: standard output is for results."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _blame(settings: Settings, path: Path) -> None:
    """Remember the pack that ended an earlier command while it was imported."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Importing)
    except (OSError, ValueError):
        return
    pack = find_pack(settings, found.name)
    if pack is None or psutil.pid_exists(found.pid):
        return
    error = "it ended the program while it was loaded"
    fault = Fault(CRASHED, error, pack.fingerprint())
    write_faults(settings, {**read_faults(settings), pack.name: fault})
    path.unlink(missing_ok=True)


def _write(path: Path, name: str) -> None:
    """Name the pack; a disk that refuses costs only the blame."""
    with contextlib.suppress(FilesError):
        write_atomically(path, msgspec.json.encode(_Importing(name, os.getpid())), durable=False)
