"""Routes that packs have added: requests that no route of ours takes go to the worker."""

from __future__ import annotations

from aiohttp import web

from engine.server.answers import Handler, RefusalError
from engine.server.pack_policy import PACK_POLICY
from engine.server.routes import page
from engine.server.services import SERVICES

BASE_PATH = web.AppKey("base_path", str)
"""The studio's path on its host; empty for the root."""


@web.middleware
async def serve_packs(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Our own answer, or that of a pack where we have none for this path and method."""
    if request.match_info.http_exception is None and handler is not page.get_asset:
        return await handler(request)
    try:
        return await handler(request)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        answer = await _pass_on(request)
        if answer is None:
            raise
    except RefusalError as refused:
        answer = await _pass_on(request) if refused.status == 404 else None
        if answer is None:
            raise
    return answer


async def _pass_on(request: web.Request) -> web.StreamResponse | None:
    """What a pack answers; None where none has such a route."""
    packs = request.app[SERVICES].served
    path, base = request.rel_url.raw_path, request.app[BASE_PATH]
    if base and path.startswith(f"{base}/"):
        path = path[len(base) :]
    found = packs.path_for(request.method, path)
    if found is None:
        return None
    return await packs.proxy(request.method, found).pass_on(
        request, found, request.app[PACK_POLICY]
    )
