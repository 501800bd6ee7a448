"""The application: the table of routes, the middleware, and the services that handlers use."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from pathlib import Path

from aiohttp import web

from engine.documents.journals import Journals
from engine.documents.versions import Versions
from engine.files import Files
from engine.forecast.forecast import Forecast
from engine.server.answers import Handler, compress
from engine.server.catalog import NodeCatalog
from engine.server.failures import answer_failures
from engine.server.guard import Guard
from engine.server.hub import Hub
from engine.server.listing import Listing
from engine.server.logs import LogBook
from engine.server.media_helper import MediaHelper
from engine.server.observer import Observer
from engine.server.preferences import Preferences
from engine.server.routes import (
    catalog,
    extensions,
    gallery,
    internal,
    jobs,
    journals,
    library,
    media,
    notices,
    page,
    plugins,
    prompts,
    socket,
    templates,
    uploads,
    versions,
)
from engine.server.running import failed_outcome
from engine.server.services import SERVICES, Services
from engine.server.sweep import empty_temp, sweep
from engine.server.terminal import Terminal
from engine.server.tokens import Tokens
from engine.server.trash import empty_trash
from engine.server.workers import GRACE_SECONDS, Workers
from engine.serving import Serving
from engine.settings import Settings
from engine.store.costs import CostStore
from engine.store.database import Database
from engine.store.gallery import Gallery
from engine.store.history import History
from engine.store.jobs import Jobs
from engine.store.notice import Notice
from engine.store.notices import Notices
from engine.store.queue import Queue

ROUTES: Sequence[tuple[str, str, Handler]] = (
    ("GET", "/ws", socket.get_socket),
    ("GET", "/prompt", prompts.get_prompt),
    ("POST", "/prompt", prompts.post_prompt),
    ("GET", "/queue", prompts.get_queue),
    ("POST", "/queue", prompts.post_queue),
    ("POST", "/interrupt", prompts.post_interrupt),
    ("POST", "/free", prompts.post_free),
    ("GET", "/history", prompts.get_history),
    ("GET", "/history/{prompt_id}", prompts.get_history_entry),
    ("POST", "/history", prompts.post_history),
    ("POST", "/calotype/check", prompts.post_check),
    ("GET", "/calotype/queue", gallery.get_queue),
    ("POST", "/calotype/queue/move", gallery.post_move),
    ("POST", "/calotype/queue/pause", gallery.post_pause),
    ("GET", "/calotype/history", gallery.get_history),
    ("POST", "/calotype/history/star", gallery.post_star),
    ("POST", "/calotype/history/delete", gallery.post_delete),
    ("GET", "/calotype/notices", notices.get_notices),
    ("POST", "/calotype/notices/dismiss", notices.post_dismiss),
    ("GET", "/calotype/journals", journals.get_journals),
    ("GET", "/calotype/journals/{id}", journals.get_journal),
    ("POST", "/calotype/journals/{id}", journals.post_journal),
    ("PUT", "/calotype/journals/{id}", journals.put_journal),
    ("DELETE", "/calotype/journals/{id}", journals.delete_journal),
    ("GET", "/calotype/versions", versions.get_versions),
    ("POST", "/calotype/versions", versions.post_version),
    ("GET", "/calotype/versions/{when}", versions.get_version),
    ("GET", "/calotype/extensions", extensions.get_extensions),
    ("GET", "/calotype/extensions/{pack}/{page}", extensions.get_page),
    ("GET", "/object_info", catalog.get_object_info),
    ("GET", "/object_info/{node_class}", catalog.get_one_object_info),
    ("GET", "/models", catalog.get_models),
    ("GET", "/models/{folder}", catalog.get_model_folder),
    ("GET", "/embeddings", catalog.get_embeddings),
    ("GET", "/experiment/models", catalog.get_experiment_models),
    ("GET", "/experiment/models/{folder}", catalog.get_experiment_folder),
    (
        "GET",
        "/experiment/models/preview/{folder}/{path_index}/{filename:.+}",
        catalog.get_model_preview,
    ),
    ("GET", "/view_metadata/{folder}", catalog.get_view_metadata),
    ("GET", "/system_stats", catalog.get_system_stats),
    ("GET", "/features", catalog.get_features),
    ("GET", "/view", media.get_view),
    ("POST", "/upload/image", uploads.post_image),
    ("POST", "/upload/mask", uploads.post_mask),
    ("GET", "/settings", library.get_settings),
    ("POST", "/settings", library.post_settings),
    ("GET", "/settings/{id}", library.get_setting),
    ("POST", "/settings/{id}", library.post_setting),
    ("GET", "/users", library.get_users),
    ("POST", "/users", library.post_users),
    ("GET", "/userdata", library.get_userdata),
    ("GET", "/v2/userdata", library.get_userdata_v2),
    ("POST", "/userdata/{file:.+}/move/{dest:.+}", library.post_move),
    ("GET", "/userdata/{file:.+}", library.get_file),
    ("POST", "/userdata/{file:.+}", library.post_file),
    ("DELETE", "/userdata/{file:.+}", library.delete_file),
    ("GET", "/extensions", plugins.get_extensions),
    ("GET", "/i18n", plugins.get_i18n),
    ("GET", "/workflow_templates", plugins.get_workflow_templates),
    ("GET", "/templates/index.json", templates.get_index),
    ("GET", "/templates/{file}", templates.get_template),
    ("GET", "/global_subgraphs", plugins.get_global_subgraphs),
    ("GET", "/global_subgraphs/{id}", plugins.get_global_subgraph),
)
"""Each is served as it stands and below `/api`."""
UNPREFIXED_ROUTES: Sequence[tuple[str, str, Handler]] = (
    ("GET", "/api/jobs", jobs.get_jobs),
    ("POST", "/api/jobs/cancel", jobs.post_cancel_many),
    ("GET", "/api/jobs/{job_id}", jobs.get_job),
    ("POST", "/api/jobs/{job_id}/cancel", jobs.post_cancel),
    ("GET", "/internal/logs", internal.get_logs),
    ("GET", "/internal/logs/raw", internal.get_raw_logs),
    ("PATCH", "/internal/logs/subscribe", internal.patch_subscribe),
    ("GET", "/internal/folder_paths", internal.get_folder_paths),
    ("GET", "/internal/files/{place}", internal.get_files),
    ("GET", "/", page.get_index),
    ("GET", "/{path:.+}", page.get_asset),
)
"""Each is served as it stands. The last one takes what no other did."""


def build_app(
    settings: Settings,
    *,
    tokens: Tokens | None = None,
    serving: Serving | None = None,
    lock: int | None = None,
    show: Callable[[str], None] | None = None,
    dist: Path = page.DEFAULT_DIST,
    worker: str | None = "engine.worker",
    grace: float = GRACE_SECONDS,
) -> web.Application:
    """An application over the user directory of these settings. Starts nothing until it is run.

    Args:
        settings: the folders, and what workers are given.
        tokens: what grants access beyond loopback; None where only this machine has access.
        serving: who has access, and the base path of the studio on its host.
        lock: a file descriptor that worker processes inherit.
        show: writes to the terminal without blocking.
        dist: the folder of the built page.
        worker: the module that workers run; None for a server that only accepts prompts.
        grace: seconds after which a worker whose node does not acknowledge a stop is killed.
    """
    serving = serving or Serving()
    guard = Guard(tokens, serving)
    packing = [compress] if serving.compress else []
    app = web.Application(
        middlewares=[*packing, answer_failures, guard.middleware],
        client_max_size=serving.most_upload,
        handler_args={"max_line_size": 16384, "max_field_size": 16384},
    )
    app[page.DIST] = dist
    app.on_response_prepare.append(guard.add_headers)

    async def serve(app: web.Application) -> AsyncIterator[None]:
        hub = Hub()
        logs = LogBook(hub, show or Terminal(2).write)
        with logs.capture_logging(serving.log_level):
            async with _services(settings, serving, hub, logs, lock, worker, grace) as services:
                app[SERVICES] = services
                yield

    app.cleanup_ctx.append(serve)
    app.on_shutdown.append(_close_sockets)
    for prefix in dict.fromkeys((serving.base_path, "")):  # a proxy may cut the base path off
        _add_routes(app, prefix)
    return app


def _add_routes(app: web.Application, prefix: str) -> None:
    """Serve every route below a path; GET routes also serve HEAD."""
    api = [(method, f"/api{path}", handler) for method, path, handler in ROUTES]
    if prefix:
        for method in ("GET", "HEAD"):
            app.router.add_route(method, prefix, page.get_folder)
    for method, path, handler in (*ROUTES, *api, *UNPREFIXED_ROUTES):
        for each in (method, "HEAD") if method == "GET" else (method,):
            app.router.add_route(each, f"{prefix}{path}", handler)


def _make_folders(settings: Settings) -> None:
    for folder in (settings.output_directory, settings.input_directory, settings.temp_directory):
        folder.mkdir(parents=True, exist_ok=True)


async def _clean_up(settings: Settings) -> asyncio.Task[int]:
    """Delete leftovers of the last run; unfinished files of a crash in the background."""
    await asyncio.to_thread(empty_temp, settings)
    await asyncio.to_thread(empty_trash, settings, time.time())
    # Nothing else writes yet; file times may lag the clock by a few milliseconds.
    return asyncio.create_task(asyncio.to_thread(sweep, settings, time.time() - 0.05))


async def _close_sockets(app: web.Application) -> None:
    """Runs before the wait for handlers: those of sockets end only with their sockets."""
    await app[SERVICES].hub.close()


@contextlib.asynccontextmanager
async def _services(
    settings: Settings,
    serving: Serving,
    hub: Hub,
    logs: LogBook,
    lock: int | None,
    worker: str | None,
    grace: float,
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
        workers = Workers(
            settings,
            queue,
            history,
            hub,
            logs,
            observer,
            module=worker or "engine.worker",
            lock=lock,
            grace=grace,
        )
        helper = MediaHelper(logs)
        if worker is not None:
            workers.start()
        yield Services(
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
            forecast=forecast,
            observer=observer,
            notices=Notices(database),
            media=helper,
            preferences=Preferences(settings.user_directory / "settings.json"),
            journals=Journals(settings.user_directory / "journals"),
            versions=Versions(settings.user_directory / "versions"),
        )
        await workers.stop()
        await sweeping
        await helper.stop()
    finally:
        database.close()


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
