"""The editor's journals: every change of an open document, stored before the response."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from engine.documents.journal_lines import MOST_WINDOW, JournalRefusedError
from engine.server.answers import RefusalError, answer, read_body, refusal
from engine.server.services import SERVICES

MOST_LINES = 16 << 20
_LINES = "application/jsonl"
_STATUS: Mapping[str, int] = {"invalid": 400, "conflict": 409, "too_long": 413}


async def get_journals(request: web.Request) -> web.Response:
    """All of them, and whether the window of each is connected."""
    services = request.app[SERVICES]
    listed = await services.journals.list()
    return answer(
        [
            {
                "id": each.id,
                "tab": None if each.tab is None else msgspec.Raw(each.tab.content),
                "size": each.size,
                "modified": each.modified,
                "alive": each.tab is not None and each.tab.window in services.hub,
            }
            for each in listed
        ]
    )


async def get_journal(request: web.Request) -> web.Response:
    """The lines of one."""
    try:
        found = await request.app[SERVICES].journals.read(request.match_info["id"])
    except JournalRefusedError as refused:
        raise _refusal(refused) from refused
    if found is None:
        raise refusal(404, "there is no such journal")
    return web.Response(body=found, content_type=_LINES)


async def post_journal(request: web.Request) -> web.Response:
    """Append lines to one."""
    body = await read_body(request, most=MOST_LINES)
    journals, name = request.app[SERVICES].journals, request.match_info["id"]
    try:
        return answer({"n": await journals.append(name, _window(request), body)})
    except JournalRefusedError as refused:
        raise _refusal(refused) from refused


async def put_journal(request: web.Request) -> web.Response:
    """Replace a whole one."""
    body = await read_body(request)
    journals, name = request.app[SERVICES].journals, request.match_info["id"]
    try:
        found = await journals.replace(
            name, _window(request), body, owner=request.query.get("owner")
        )
        return answer({"n": found})
    except JournalRefusedError as refused:
        raise _refusal(refused) from refused


async def delete_journal(request: web.Request) -> web.Response:
    """Delete one."""
    try:
        await request.app[SERVICES].journals.delete(request.match_info["id"])
    except JournalRefusedError as refused:
        raise _refusal(refused) from refused
    return web.Response(status=204)


def _window(request: web.Request) -> str:
    window = request.query.get("window", "")
    if not 0 < len(window) <= MOST_WINDOW:
        raise refusal(400, "window should say which window asks")
    return window


def _refusal(refused: JournalRefusedError) -> RefusalError:
    body = {"error": str(refused), "last": refused.last, "window": refused.window}
    return RefusalError(_STATUS[refused.reason], body)
