"""The application: the middleware, the routes, and the services that handlers use."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from aiohttp import web

from engine.server.answers import compress
from engine.server.classic import CLASSIC, CLASSIC_HEADERS, NOT_INSTALLED, Classic, Frontend
from engine.server.failures import answer_failures
from engine.server.guard import Guard
from engine.server.hub import Hub
from engine.server.logs import LogBook
from engine.server.open_services import Start, open_services
from engine.server.pack_policy import PACK_POLICY, SANDBOX
from engine.server.route_table import (
    CLASSIC_ROUTES,
    OURS,
    PAGE_ROUTES,
    ROUTES,
    UNPREFIXED_ROUTES,
    Route,
)
from engine.server.routes import pack_routes, page, prompts
from engine.server.services import SERVICES
from engine.server.terminal import Terminal
from engine.server.tokens import Tokens
from engine.server.workers import GRACE_SECONDS
from engine.serving import Serving
from engine.settings import Settings


def build_app(
    settings: Settings,
    *,
    tokens: Tokens | None = None,
    serving: Serving | None = None,
    classic: Classic | None = None,
    lock: int | None = None,
    show: Callable[[str], None] | None = None,
    dist: Path = page.DEFAULT_DIST,
    worker: str | None = "engine.worker",
    grace: float = GRACE_SECONDS,
    port: int = 0,
) -> web.Application:
    """An application over the user directory of these settings. Starts nothing until it is run.

    Args:
        settings: the folders, and what workers are given.
        tokens: what grants access beyond loopback; None where only this machine has access.
        serving: who has access, and the base path of the studio on its host.
        classic: where the classic view is.
        lock: a file descriptor that worker processes inherit.
        show: writes to the terminal without blocking.
        dist: the folder of the built page.
        worker: the module that workers run; None for a server that only accepts prompts.
        grace: seconds after which a worker whose node does not acknowledge a stop is killed.
        port: it listens on, for plugins that ask; 0 where it does not.
    """
    serving = serving or Serving()
    app = _new_app(Guard(tokens, serving), serving)
    app[page.DIST] = dist
    app[CLASSIC] = classic or Classic(reason=NOT_INSTALLED)
    app[PACK_POLICY] = SANDBOX
    app[pack_routes.BASE_PATH] = serving.base_path

    async def serve(app: web.Application) -> AsyncIterator[None]:
        hub = Hub()
        logs = LogBook(hub, show or Terminal(2).write)
        with logs.capture_logging(serving.log_level):
            start = Start(lock, worker, grace, port, has_tokens=tokens is not None)
            async with open_services(settings, serving, hub, logs, start) as services:
                app[SERVICES] = services
                yield

    app.cleanup_ctx.append(serve)
    app.on_shutdown.append(_close_sockets)
    for prefix in dict.fromkeys((serving.base_path, "")):  # a proxy may cut the base path off
        if prefix:
            for method in ("GET", "HEAD"):
                app.router.add_route(method, prefix, page.get_folder)
        _add_routes(app, prefix, ROUTES, (*UNPREFIXED_ROUTES, *PAGE_ROUTES))
    return app


def build_classic_app(
    main: web.Application, frontend: Frontend, tokens: Tokens | None, serving: Serving
) -> web.Application:
    """The classic view: the package's page and the whole API, less what only our editor uses.

    Args:
        main: the application whose services it shares; it starts before this one.
        frontend: the page.
        tokens: what grants access beyond loopback, as in the main application.
        serving: who has access; the base path is not used here.
    """
    serving = dataclasses.replace(serving, base_path="")
    app = _new_app(Guard(tokens, serving, CLASSIC_HEADERS), serving)
    app[page.DIST] = frontend.folder
    app[PACK_POLICY] = ""
    app[prompts.PREVIEWS] = "auto"  # that page shows them, as not every client of the API does
    app[pack_routes.BASE_PATH] = ""

    async def share(app: web.Application) -> None:
        for key in main:
            if key not in app:
                app[key] = main[key]

    app.on_startup.append(share)
    app.on_shutdown.append(_close_sockets)
    routes = [each for each in ROUTES if not each[1].startswith(OURS)]
    _add_routes(app, "", routes, (*UNPREFIXED_ROUTES, *CLASSIC_ROUTES))
    return app


def _new_app(guard: Guard, serving: Serving) -> web.Application:
    """An application that a guard protects, without routes."""
    packing = [compress] if serving.compress else []
    app = web.Application(
        middlewares=[*packing, answer_failures, guard.middleware, pack_routes.serve_packs],
        client_max_size=serving.most_upload,
        handler_args={"max_line_size": 16384, "max_field_size": 16384},
    )
    app.on_response_prepare.append(guard.add_headers)
    return app


def _add_routes(
    app: web.Application, prefix: str, routes: Sequence[Route], unprefixed: Sequence[Route]
) -> None:
    """Serve every route below a path; GET routes also serve HEAD."""
    api = [(method, f"/api{path}", handler) for method, path, handler in routes]
    for method, path, handler in (*routes, *api, *unprefixed):
        for each in (method, "HEAD") if method == "GET" else (method,):
            app.router.add_route(each, f"{prefix}{path}", handler)


async def _close_sockets(app: web.Application) -> None:
    """Runs before the wait for handlers: those of sockets end only with their sockets."""
    await app[SERVICES].hub.close()
