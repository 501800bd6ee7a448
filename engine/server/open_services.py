"""Opens what handlers use: the store, the worker, the hub, in this order; closes them again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import msgspec

from engine.documents.journals import Journals
from engine.documents.versions import Versions
from engine.errors import WireError
from engine.files import Files
from engine.forecast.forecast import Forecast
from engine.forecast.studied import StudiedPrompt
from engine.record.make import Recorder
from engine.server.catalog import NodeCatalog
from engine.server.download_news import open_downloads
from engine.server.hashing import BackgroundHasher
from engine.server.hub import Hub
from engine.server.listing import Listing
from engine.server.logs import LogBook
from engine.server.media_helper import MediaHelper
from engine.server.observer import Observer
from engine.server.pack_requests import answer_plugin
from engine.server.pack_watch import PackWatch
from engine.server.preferences import Preferences
from engine.server.running import failed_outcome
from engine.server.served_packs import ServedPacks
from engine.server.services import Services
from engine.server.sweep import empty_temp, remove_sockets, sweep
from engine.server.trash import empty_trash
from engine.server.workers import GRACE_SECONDS, Workers
from engine.serving import Serving
from engine.settings import Settings
from engine.store.costs import CostStore
from engine.store.database import Database
from engine.store.entries import Entry
from engine.store.gallery import Gallery
from engine.store.history import History
from engine.store.jobs import Jobs
from engine.store.notice import Notice
from engine.store.notices import Notices
from engine.store.queue import Queue


@dataclass(frozen=True, slots=True)
class Start:
    """How one server runs.

    Attributes:
        lock: a file descriptor that worker processes inherit.
        worker: the module that workers run; None for a server that only accepts prompts.
        grace: seconds after which a worker whose node does not acknowledge a stop is killed.
        port: it listens on; 0 where it does not.
        has_tokens: whether requests need a token.
    """

    lock: int | None = None
    worker: str | None = "engine.worker"
    grace: float = GRACE_SECONDS
    port: int = 0
    has_tokens: bool = False


def _make_folders(settings: Settings) -> None:
    for folder in (settings.output_directory, settings.input_directory, settings.temp_directory):
        folder.mkdir(parents=True, exist_ok=True)


async def _clean_up(settings: Settings) -> asyncio.Task[int]:
    """Delete leftovers of the last run; unfinished files of a crash in the background."""
    await asyncio.to_thread(empty_temp, settings)
    await asyncio.to_thread(remove_sockets, settings)
    await asyncio.to_thread(empty_trash, settings, time.time())
    # Nothing else writes yet; file times may lag the clock by a few milliseconds.
    return asyncio.create_task(asyncio.to_thread(sweep, settings, time.time() - 0.05))


@contextlib.asynccontextmanager
async def open_services(
    settings: Settings,
    serving: Serving,
    hub: Hub,
    logs: LogBook,
    start: Start,
) -> AsyncGenerator[Services]:
    """Open the store, recover after a crash, start the worker; at the end in reverse order."""
    _make_folders(settings)
    database = _open_database(settings, logs)
    try:
        files, queue, history = Files(settings), Queue(database), History(database)
        listing = Listing(files)
        await queue.recover(time.time(), failed_outcome)
        sweeping = await _clean_up(settings)
        nodes = NodeCatalog(listing)
        forecast = await _forecast(nodes, files, database)
        observer = Observer(forecast, logs)
        workers = _workers(settings, queue, history, hub, logs, observer, start)
        packs, limits = workers.supervisor.packs, (serving.most_upload, start.has_tokens)
        served = ServedPacks(settings, packs, nodes, files, listing, hub, logs, *limits)
        recorder = Recorder(settings, files)
        services = Services(
            settings=settings,
            most_upload=serving.most_upload,
            files=files,
            listing=listing,
            catalog=nodes,
            queue=queue,
            history=history,
            jobs=Jobs(database),
            gallery=Gallery(database),
            hub=hub,
            logs=logs,
            workers=workers,
            packs=packs,
            served=served,
            address=(serving.addresses[0], start.port),
            forecast=forecast,
            observer=observer,
            notices=Notices(database),
            media=MediaHelper(logs),
            preferences=Preferences(settings.user_directory / "settings.json"),
            journals=Journals(settings.user_directory / "journals"),
            versions=Versions(settings.user_directory / "versions"),
            downloads=await asyncio.to_thread(open_downloads, settings, hub, recorder.hashes),
            recorder=recorder,
        )
        hasher = _connect(services)
        if start.worker is not None:
            workers.start()
            hasher.start()
        services.downloads.start()
        yield services
        await _stop(services, hasher)
        await sweeping
    finally:
        database.close()


async def _stop(services: Services, hasher: BackgroundHasher) -> None:
    await asyncio.to_thread(hasher.stop)
    await services.downloads.stop()
    await services.workers.stop()
    await services.served.stop()
    await services.media.stop()


def _workers(
    settings: Settings,
    queue: Queue,
    history: History,
    hub: Hub,
    logs: LogBook,
    observer: Observer,
    start: Start,
) -> Workers:
    """The worker and its packs, not started yet."""
    return Workers(
        *(settings, queue, history, hub, logs, observer),
        packs=PackWatch(settings, logs),
        module=start.worker or "engine.worker",
        lock=start.lock,
        grace=start.grace,
    )


def _connect(services: Services) -> BackgroundHasher:
    """Let what packs have added reach the worker, and plugins' questions the services.

    Returns:
        what hashes the files of prompts.
    """
    workers, served = services.workers, services.served

    def send(message: msgspec.Struct) -> None:
        process = workers.supervisor.process
        if process is not None:
            with contextlib.suppress(WireError):
                process.send(message)

    served.send = send
    served.is_idle = lambda: workers.supervisor.is_idle and workers.current is None
    served.answer = lambda asked: answer_plugin(asked, services)
    hasher = BackgroundHasher(
        services.recorder,
        lambda: services.catalog.schemas,
        lambda: workers.current is None,
    )

    def note(entry: Entry) -> None:
        # One of before a restart is not parsed for this; a quick one names no files.
        studied = entry.studied
        if isinstance(studied, StudiedPrompt) and not studied.is_quick:
            hasher.note(studied.prompt)

    services.observer.on_started = note
    return hasher


async def _forecast(nodes: NodeCatalog, files: Files, database: Database) -> Forecast:
    """A forecast with the stored costs of past runs."""
    forecast = Forecast(lambda: nodes.schemas, files, CostStore(database))
    await forecast.load()
    return forecast


def _open_database(settings: Settings, logs: LogBook) -> Database:
    """Open the store; damage to it and to the settings is logged, now or later."""
    loop = asyncio.get_running_loop()

    def say(notice: Notice) -> None:
        loop.call_soon_threadsafe(logs.write, f"Calotype: {notice.text}\n")

    database = Database(settings.user_directory / "calotype.db", on_notice=say)
    for note in (*settings.notes, *(each.text for each in database.notices)):
        logs.write(f"Calotype: {note}\n")
    return database
