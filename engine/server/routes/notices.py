"""Notices of the server to its user, until they are dismissed."""

from __future__ import annotations

from aiohttp import web

from engine.server.answers import answer, empty_answer, read_object, refusal
from engine.server.services import SERVICES


async def get_notices(request: web.Request) -> web.Response:
    """All notices that were not dismissed, oldest first."""
    found = await request.app[SERVICES].notices.list()
    listed = [
        {
            "id": each.id,
            "kind": each.kind,
            "created": round(each.created * 1000),
            "text": each.text,
            "details": each.details,
        }
        for each in found
    ]
    return answer({"notices": listed})


async def post_dismiss(request: web.Request) -> web.Response:
    """Dismiss a notice."""
    asked = await read_object(request)
    number = asked.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or abs(number) >= 1 << 63:
        raise refusal(400, "id should be the number of a notice")
    if not await request.app[SERVICES].notices.dismiss(number):
        raise refusal(404, "there is no such notice; it was dismissed before")
    return empty_answer()
