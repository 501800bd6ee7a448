"""The news of downloads for every open page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.downloads.manager import Downloads
from engine.downloads.records import Download
from engine.server.hub import Hub
from engine.server.messages import DownloadsChanged, DownloadState
from engine.settings import Settings


def open_downloads(settings: Settings, hub: Hub) -> Downloads:
    """The downloads of the last run, not started yet; every page hears of what changes."""

    def send(changed: Sequence[Download], gone: Sequence[str]) -> None:
        hub.send(None, [DownloadsChanged(tuple(map(download_state, changed)), tuple(gone))])

    return Downloads(settings.user_directory / "downloads", on_change=send)


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
