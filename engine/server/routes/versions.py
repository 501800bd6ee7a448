"""Earlier versions of workflows: listed, read, and stored at intervals."""

from __future__ import annotations

import msgspec
from aiohttp import web

from engine.documents.versions import MOST_TEXT
from engine.server.answers import answer, read_body, refusal
from engine.server.content import UNKNOWN
from engine.server.services import SERVICES

_MOST_NAME = 1000
_MOST_NAMES = 10


async def get_versions(request: web.Request) -> web.Response:
    """The versions of some names, newest first."""
    names = _names(request)
    versions = request.app[SERVICES].versions
    found = [each for name in names for each in await versions.list(name)]
    return answer(
        sorted(
            (msgspec.structs.asdict(each) for each in found),
            key=lambda each: -int(each["when"]),
        )
    )


async def get_version(request: web.Request) -> web.Response:
    """The text of one."""
    (name, *_) = _names(request)
    when = request.match_info["when"]
    if not (when.isascii() and when.isdigit() and len(when) <= 14):
        raise refusal(400, "a version is named by its time")
    found = await request.app[SERVICES].versions.read(name, int(when))
    if found is None:
        raise refusal(404, "there is no such version")
    return web.Response(
        body=found.text,
        content_type=UNKNOWN,
        headers={"Content-Disposition": "attachment", "Cache-Control": "no-cache"},
    )


async def post_version(request: web.Request) -> web.Response:
    """Store a text as a version; nothing else changes."""
    (name, *_) = _names(request)
    text = await read_body(request, most=MOST_TEXT)
    label = request.query.get("label", "")
    kept = await request.app[SERVICES].versions.keep(name, text, label=label, kind="auto")
    return answer(None if kept is None else msgspec.structs.asdict(kept))


def _names(request: web.Request) -> list[str]:
    names = request.query.getall("of", [])
    if not 0 < len(names) <= _MOST_NAMES or not all(0 < len(each) <= _MOST_NAME for each in names):
        raise refusal(400, "of should name a workflow")
    return names
