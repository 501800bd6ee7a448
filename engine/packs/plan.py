"""Which packs a worker is to load, and which not and why: made before it starts."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from engine.packs.found import Pack, find_packs, wanted_packs
from engine.packs.preferences import read_preferences
from engine.packs.records import Fault, read_faults, write_faults
from engine.settings import Settings
from engine.wire.pack_messages import DISABLED, PackReport


class Plan(msgspec.Struct, frozen=True):
    """What a worker does with packs.

    Attributes:
        skipped: the packs that are not imported, as they are reported.
        isolated: the packs that run in processes of their own.
        offline: those of them that may not use the network.
        memory: bytes that they may take, where the user chose.
        chosen: of a class that several packs have, the pack whose class has the plain name.
    """

    skipped: dict[str, PackReport] = {}
    isolated: frozenset[str] = frozenset()
    offline: frozenset[str] = frozenset()
    memory: dict[str, int] = {}
    chosen: dict[str, str] = {}


def make_plan(settings: Settings, blamed: Mapping[str, Fault] | None = None) -> Plan:
    """Decide by preferences and by the faults of earlier starts. Reads files only.

    Args:
        settings: the folders, and what flags leave out.
        blamed: faults of this process that may not have reached the disk.
    """
    preferences = read_preferences(settings)
    faults = {**read_faults(settings), **(blamed or {})}
    skipped: dict[str, PackReport] = {}
    for pack in wanted_packs(settings):
        if pack.name in preferences.disabled:
            error = "switched off by the user"
            skipped[pack.name] = PackReport(pack.name, pack.version, state=DISABLED, error=error)
        elif pack.name in preferences.isolated:
            continue  # whatever it did to a worker, it cannot do from its own process
        elif (fault := faults.get(pack.name)) and fault.fingerprint == pack.fingerprint():
            skipped[pack.name] = PackReport(
                pack.name, pack.version, state=fault.state, error=fault.error
            )
    return Plan(
        skipped,
        preferences.isolated,
        preferences.offline,
        preferences.memory,
        preferences.chosen,
    )


def forget_fault(settings: Settings, name: str) -> None:
    """Have a pack tried again at the next start, whatever happened before."""
    faults = read_faults(settings)
    write_faults(settings, {key: each for key, each in faults.items() if key != name})


def find_pack(settings: Settings, name: str) -> Pack | None:
    """The pack of that name, disabled or not."""
    return next((pack for pack in find_packs(settings) if pack.name == name), None)


def plan_to_json(plan: Plan) -> str:
    """A plan for another process; `plan_from_json` reads it."""
    return msgspec.json.encode(plan).decode()


def plan_from_json(text: str) -> Plan:
    """A plan as `plan_to_json` wrote it."""
    return msgspec.json.decode(text, type=Plan)
