"""The way from our origin to the classic one, and the files of plugins there."""

from __future__ import annotations

import asyncio
import html

from aiohttp import web

from engine.paths import BadNameError, resolve
from engine.server.classic import CLASSIC, INSTALL, PACKAGE
from engine.server.routes import page, plugins

TOKEN_SECONDS = 60.0
_MISSING = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Classic view</title>
<h1>The classic view is not available</h1>
<p>{reason}</p>
<p>The classic view is the page of ComfyUI, a separate program under the GPL. Plugins that bring
scripts for that page work there. To install it, type in the folder of Calotype:
<code>{command}</code> (or <code>pip install {package}</code>), and start Calotype again.</p>
"""


async def get_classic(request: web.Request) -> web.Response:
    """Redirect to the classic view, with a token that is valid once and for a minute."""
    classic = request.app[CLASSIC]
    if classic.port is None:
        text = _MISSING.format(
            reason=html.escape(classic.reason), command=html.escape(INSTALL), package=PACKAGE
        )
        return web.Response(
            status=404,
            text=text,
            content_type="text/html",
            headers={"Cache-Control": "no-store"},
        )
    scheme = "https" if classic.secure else "http"
    url = f"{scheme}://{_name(request.host)}:{classic.port}/"
    if classic.tokens is not None:
        url += f"?token={classic.tokens.new_one_time_token(TOKEN_SECONDS)}"
    return web.Response(status=303, headers={"Location": url, "Cache-Control": "no-store"})


async def get_extension_file(request: web.Request) -> web.StreamResponse:
    """A script or another file of a plugin, or one of the package's own of that name."""
    try:
        path = resolve(request.app[page.DIST], request.path.lstrip("/"))
    except BadNameError:
        path = None
    if path is not None and await asyncio.to_thread(path.is_file):
        return await page.send_file(request, path, cache="no-cache")
    return await plugins.get_extension_file(request)


def _name(host: str) -> str:
    """The host name of a Host header that the guard has accepted."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
