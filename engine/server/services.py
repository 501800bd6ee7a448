"""The services of handlers: the store, the worker, the hub and the folders, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from engine.documents.journals import Journals
from engine.documents.versions import Versions
from engine.downloads.manager import Downloads
from engine.files import Files
from engine.forecast.forecast import Forecast
from engine.machine import total_memory
from engine.record.make import Recorder
from engine.server.catalog import NodeCatalog
from engine.server.examined import ExaminedPrompts
from engine.server.hub import Hub
from engine.server.listing import Listing
from engine.server.logs import LogBook
from engine.server.media_helper import MediaHelper
from engine.server.observer import Observer
from engine.server.pack_watch import PackWatch
from engine.server.preferences import Preferences
from engine.server.served_packs import ServedPacks
from engine.server.workers import Workers
from engine.settings import Settings
from engine.store.gallery import Gallery
from engine.store.history import History
from engine.store.jobs import Jobs
from engine.store.notices import Notices
from engine.store.queue import Queue


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request may need, made once per server.

    Attributes:
        packs: how each pack was loaded.
        served: what packs have added.
        address: what this server listens on, and the port; 0 where it does not listen.
        memory: total bytes of main memory.
    """

    settings: Settings
    most_upload: int
    files: Files
    listing: Listing
    catalog: NodeCatalog
    queue: Queue
    history: History
    jobs: Jobs
    gallery: Gallery
    hub: Hub
    logs: LogBook
    workers: Workers
    packs: PackWatch
    served: ServedPacks
    forecast: Forecast
    observer: Observer
    notices: Notices
    media: MediaHelper
    preferences: Preferences
    journals: Journals
    versions: Versions
    downloads: Downloads
    recorder: Recorder
    address: tuple[str, int] = ("127.0.0.1", 0)
    examined: ExaminedPrompts = field(default_factory=ExaminedPrompts)
    memory: int = field(default_factory=total_memory)


SERVICES = web.AppKey("services", Services)
"""Where an application keeps them."""
