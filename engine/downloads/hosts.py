"""The hosts that the user has allowed, in one file; nothing else is contacted.

Not among the editor's settings: packs' pages can write those.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import msgspec

from engine.atomic import write_atomically
from engine.downloads.addresses import read_host
from engine.errors import FilesError

MOST_HOSTS = 1000
_LOGGER = logging.getLogger(__name__)


class AllowedHost(msgspec.Struct, frozen=True):
    """A host that may be contacted.

    Attributes:
        host: `example.org`, or with a port that is not that of https.
        private: whether it may be a machine of the user's own network.
    """

    host: str
    private: bool = False


class AllowedHosts:
    """The allowed hosts. Read in any thread; changed by one call at a time."""

    def __init__(self, path: Path) -> None:
        """Read them."""
        self._path = path
        self._hosts = {each.host: each for each in _read(path)}

    def list(self) -> list[AllowedHost]:
        """All of them, by name."""
        return sorted(self._hosts.values(), key=lambda each: each.host)

    def allows(self, host: str) -> bool:
        """Whether a host may be contacted."""
        return host in self._hosts

    def may_be_private(self, host: str) -> bool:
        """Whether it may be one of the user's own network."""
        found = self._hosts.get(host)
        return found is not None and found.private

    def allow(self, text: str, *, private: bool = False, remember: bool = True) -> AllowedHost:
        """Allow a host from now on; unless it is to be remembered, in this process only.

        Raises:
            AddressError: it is none.
            FilesError: the list cannot be written, or is full.
        """
        host = read_host(text)
        known = self._hosts.get(host)
        if known is None and len(self._hosts) >= MOST_HOSTS:
            raise FilesError(f"{MOST_HOSTS} hosts are allowed already; remove some first")
        allowed = AllowedHost(host, private or (known is not None and known.private))
        hosts = {**self._hosts, host: allowed}
        if remember:
            self._store(hosts)
        self._hosts = hosts
        return allowed

    def forbid(self, text: str) -> None:
        """Ask again before this host is contacted.

        Raises:
            AddressError: it is none.
            FilesError: the list cannot be written.
        """
        host = read_host(text)
        self._store({name: each for name, each in self._hosts.items() if name != host})

    def _store(self, hosts: dict[str, AllowedHost]) -> None:
        content = msgspec.json.format(msgspec.json.encode(list(hosts.values())), indent=2)
        write_atomically(self._path, content)
        self._hosts = hosts


def _read(path: Path) -> list[AllowedHost]:
    """The stored list; a damaged one is put aside, so that hosts are asked for again."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[AllowedHost])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError) as error:
        aside = path.with_suffix(".damaged")
        with contextlib.suppress(OSError):
            path.replace(aside)
        _LOGGER.warning(
            "%s: the list of allowed hosts cannot be read (%s). It is kept as %s, and no host is "
            "allowed until you allow it again",
            *(path, error, aside.name),
        )
        return []
