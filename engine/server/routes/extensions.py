"""Plugins' declarations for the editor, and the pages they name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web

from engine.server.answers import answer, refusal
from engine.server.extensions import PAGE_POLICY, described, find_extensions, page_of
from engine.server.services import SERVICES

_PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": PAGE_POLICY,
    # Not covered by a CSP: WebRTC, and preconnections. Chromium supports this header.
    "Connection-Allowlist": "()",
    "X-Frame-Options": "SAMEORIGIN",
    "Cache-Control": "no-cache",
}


async def get_extensions(request: web.Request) -> web.Response:
    """All declarations; of a broken one its error."""
    settings = request.app[SERVICES].settings
    folders, only = settings.custom_nodes_directories, settings.plugins
    found = await asyncio.to_thread(find_extensions, folders, only)
    return answer([described(each) for each in found])


async def get_page(request: web.Request) -> web.Response:
    """A page or workflow that a plugin declares; no other file of it."""
    settings = request.app[SERVICES].settings
    folders, only = settings.custom_nodes_directories, settings.plugins
    found = await asyncio.to_thread(find_extensions, folders, only)
    pack, name = request.match_info["pack"], request.match_info["page"]
    path = next((page_of(each, name) for each in found if each.pack == pack), None)
    if path is None:
        raise refusal(404, "no plugin declares such a page")
    kind = "text/html" if name.endswith(".html") else "application/json"
    content = await asyncio.to_thread(path.read_bytes)
    return web.Response(body=content, content_type=kind, charset="utf-8", headers=_PAGE_HEADERS)
