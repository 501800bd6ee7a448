"""The news of downloads for every open page."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from engine.downloads.manager import Downloads
from engine.downloads.records import Download
from engine.errors import FilesError
from engine.record.hashes import FileHashes
from engine.server.hub import Hub
from engine.server.messages import DownloadsChanged, DownloadState
from engine.settings import Settings


def open_downloads(settings: Settings, hub: Hub, hashes: FileHashes) -> Downloads:
    """The downloads of the last run, not started yet; every page hears of what changes.

    The hashes of those that are done are stored, so that no file is read again for its record.
    """

    def send(changed: Sequence[Download], gone: Sequence[str]) -> None:
        hub.send(None, [DownloadsChanged(tuple(map(download_state, changed)), tuple(gone))])
        for each in changed:
            take_over(each, hashes)

    return Downloads(settings.user_directory / "downloads", on_change=send)


def take_over(download: Download, hashes: FileHashes) -> None:
    """Store the hash of a file that has come completely."""
    found = download.found_sha256
    if download.state == "done" and found is not None and download.size is not None:
        with contextlib.suppress(FilesError):  # deleted at once: then nobody asks for its hash
            hashes.take_over(Path(download.path), found, download.size)


def download_state(download: Download) -> DownloadState:
    """What browsers receive of a download."""
    return DownloadState(
        id=download.id,
        name=download.name,
        kind=download.kind,
        url=download.url,
        host=download.host,
        folder=str(Path(download.path).parent),
        state=download.state,
        size=download.size,
        received=download.received,
        speed=download.speed,
        sha256=download.sha256,
        found_sha256=download.found_sha256,
        license=download.license,
        message=download.message,
        asks_host=download.asks_host,
        asks_private=download.asks_private,
    )
