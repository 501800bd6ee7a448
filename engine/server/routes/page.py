"""The editor's own files, from `web/dist`; compressed ones where the build made them."""

from __future__ import annotations

import asyncio
import mimetypes
import re
from pathlib import Path

from aiohttp import web

from engine.paths import BadNameError, resolve
from engine.server.answers import refusal
from engine.settings import ROOT

DIST = web.AppKey("dist", Path)
"""The path of an application's page."""
DEFAULT_DIST = ROOT / "web" / "dist"
_HASHED = re.compile(r"[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$")
_FOREVER = "public, max-age=31536000, immutable"
_COMPRESSED = (("br", ".br"), ("gzip", ".gz"))
_NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Calotype</title>
<h1>Calotype is running</h1>
<p>The editor has not been built. In the folder of Calotype, type: <code>pip install -e .</code></p>
<p>The API is here: <a href="object_info">/object_info</a>, <a href="queue">/queue</a>.</p>
"""


async def get_index(request: web.Request) -> web.StreamResponse:
    """The page."""
    path = request.app[DIST] / "index.html"
    if not path.is_file():
        return web.Response(
            text=_NOT_BUILT, content_type="text/html", headers={"Cache-Control": "no-cache"}
        )
    return await send_file(request, path, cache="no-cache")


async def get_folder(request: web.Request) -> web.Response:
    """Redirect the base path without its last slash: the page's relative addresses need it."""
    query = f"?{request.query_string}" if request.query_string else ""
    name = request.path.rpartition("/")[2]
    return web.Response(status=308, headers={"Location": f"{name}/{query}"})


async def get_asset(request: web.Request) -> web.StreamResponse:
    """A file of the page."""
    try:
        path = resolve(request.app[DIST], request.match_info["path"])
    except BadNameError as error:
        raise refusal(404, "there is no such page") from error
    hidden = any(part.startswith(".") for part in Path(request.match_info["path"]).parts)
    if hidden or not await asyncio.to_thread(path.is_file):
        raise refusal(404, "there is no such page")
    return await send_file(
        request, path, cache=_FOREVER if _HASHED.search(path.name) else "no-cache"
    )


async def send_file(request: web.Request, path: Path, *, cache: str) -> web.StreamResponse:
    """A file with its type, compressed if there is such a file beside it."""
    kind, _ = mimetypes.guess_type(path.name)
    headers = {
        "Content-Type": kind or "application/octet-stream",
        "Cache-Control": cache,
        "Vary": "Accept-Encoding",
    }
    if kind is not None and kind.startswith("text/"):
        headers["Content-Type"] = f"{kind}; charset=utf-8"
    accepted = request.headers.get("Accept-Encoding", "")
    for name, suffix in _COMPRESSED:
        packed = path.with_name(path.name + suffix)
        if name in accepted and await asyncio.to_thread(packed.is_file):
            headers["Content-Encoding"] = name
            content = await asyncio.to_thread(packed.read_bytes)
            return web.Response(body=content, headers=headers)
    return web.FileResponse(path, headers=headers)
