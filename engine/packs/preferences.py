"""What the user has decided on packs: which are off or isolated, whose class counts."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.atomic import write_atomically
from engine.settings import Settings


class PackPreferences(msgspec.Struct, frozen=True):
    """The user's decisions, by the names of packs.

    Attributes:
        disabled: packs that are not loaded.
        isolated: packs that run in a process of their own.
        offline: isolated packs that may not use the network.
        memory: bytes that isolated packs may take, where the user chose.
        chosen: of a class that several packs have, the pack whose class has the plain name.
    """

    disabled: frozenset[str] = frozenset()
    isolated: frozenset[str] = frozenset()
    offline: frozenset[str] = frozenset()
    memory: dict[str, int] = {}
    chosen: dict[str, str] = {}

    def enabled(self, name: str, *, is_on: bool) -> PackPreferences:
        """The same with a pack switched on or off."""
        disabled = self.disabled - {name} if is_on else self.disabled | {name}
        return msgspec.structs.replace(self, disabled=disabled)

    def isolating(
        self, name: str, *, is_on: bool, has_network: bool | None = None, memory: int | None = None
    ) -> PackPreferences:
        """The same with a pack isolated or not.

        Args:
            name: of the pack.
            is_on: whether it is isolated.
            has_network: whether it may use the network then; None leaves it as it is.
            memory: bytes that it may take then; None leaves it as it is.
        """
        offline = self.offline
        if has_network is not None:
            offline = offline - {name} if has_network else offline | {name}
        return msgspec.structs.replace(
            self,
            isolated=self.isolated | {name} if is_on else self.isolated - {name},
            offline=offline,
            memory=self.memory if memory is None else {**self.memory, name: memory},
        )

    def choosing(self, class_type: str, pack: str) -> PackPreferences:
        """The same with a pack chosen for a class."""
        return msgspec.structs.replace(self, chosen={**self.chosen, class_type: pack})


def read_preferences(settings: Settings) -> PackPreferences:
    """The stored decisions; a file that cannot be read counts as none."""
    try:
        return msgspec.json.decode(_path(settings).read_bytes(), type=PackPreferences)
    except (OSError, ValueError):
        return PackPreferences()


def write_preferences(settings: Settings, preferences: PackPreferences) -> None:
    """Store them.

    Raises:
        FilesError: the disk refused.
    """
    write_atomically(_path(settings), msgspec.json.format(msgspec.json.encode(preferences)))


def _path(settings: Settings) -> Path:
    return packs_folder(settings) / "preferences.json"


def packs_folder(settings: Settings) -> Path:
    """Where everything about packs is stored."""
    return settings.user_directory / "packs"
