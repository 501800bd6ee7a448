"""What is known of packs from earlier starts: how they loaded, their nodes, who crashed a worker.

A file that cannot be read is like none: the next start writes it anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from engine.atomic import write_atomically
from engine.errors import FilesError
from engine.packs.preferences import packs_folder
from engine.settings import Settings
from engine.wire.pack_messages import FolderChange, PackReport, PacksReady


class LastStart(msgspec.Struct, frozen=True):
    """The last start of a worker that told all of its packs.

    Attributes:
        reports: of each pack, in the order they were loaded.
        folders: what packs have changed in the folders of files.
        claims: classes that several packs have, and these packs.
        route_paths: method and path of the routes of packs.
        handles_prompts: whether a pack changes prompts before they are checked.
        catalog: the schemas of the packs' classes, as JSON; stored in a file of its own.
    """

    reports: tuple[PackReport, ...] = ()
    folders: dict[str, FolderChange] = {}
    claims: dict[str, tuple[str, ...]] = {}
    route_paths: tuple[tuple[str, str], ...] = ()
    handles_prompts: bool = False
    catalog: bytes = b"[]"


def last_start(reports: Sequence[PackReport], ready: PacksReady) -> LastStart:
    """What to remember of a start."""
    return LastStart(
        tuple(reports),
        ready.folders,
        ready.claims,
        ready.route_paths,
        ready.handles_prompts,
        ready.catalog,
    )


def read_last_start(settings: Settings) -> LastStart:
    """What the last start told, or nothing."""
    folder = packs_folder(settings)
    try:
        found = msgspec.json.decode((folder / "last_start.json").read_bytes(), type=LastStart)
        catalog = (folder / "catalog.json").read_bytes()
        msgspec.json.decode(catalog, type=list[dict[str, msgspec.Raw]])
    except (OSError, ValueError):
        return LastStart()
    return msgspec.structs.replace(found, catalog=catalog)


def write_last_start(settings: Settings, told: LastStart) -> None:
    """Remember a start.

    Raises:
        FilesError: the disk refused.
    """
    folder = packs_folder(settings)
    if told == LastStart() and not folder.exists():
        return  # no packs: nothing to write
    rest = msgspec.structs.replace(told, catalog=b"")
    write_atomically(folder / "catalog.json", told.catalog, durable=False)
    write_atomically(folder / "last_start.json", msgspec.json.encode(rest), durable=False)


class Fault(msgspec.Struct, frozen=True):
    """A pack that took a worker down, in the version that did.

    Attributes:
        state: `crashed` or `hung`.
        error: what happened, in one sentence.
        fingerprint: of the pack's files; with others the pack is tried again.
    """

    state: str
    error: str
    fingerprint: str


def read_faults(settings: Settings) -> dict[str, Fault]:
    """The remembered faults, by pack."""
    try:
        content = (packs_folder(settings) / "faults.json").read_bytes()
        return msgspec.json.decode(content, type=dict[str, Fault])
    except (OSError, ValueError):
        return {}


def write_faults(settings: Settings, faults: dict[str, Fault]) -> None:
    """Remember faults. Where the disk refuses, this start still knows of them."""
    path = packs_folder(settings) / "faults.json"
    if not faults and not path.exists():
        return
    with suppress(FilesError):
        write_atomically(path, msgspec.json.encode(faults))
