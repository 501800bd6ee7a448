"""The editor's own view of the queue and of what has run: order, pause, search, stars, deletion."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web

from engine.server.answers import (
    RefusalError,
    answer,
    empty_answer,
    is_array,
    is_object,
    is_true,
    read_object,
    refusal,
    whole_number,
)
from engine.server.routes.jobs import STATES, job_json
from engine.server.routes.media import find
from engine.server.services import SERVICES, Services
from engine.store.gallery import GalleryFilter, GalleryRow

_MOST_ROWS = 500
_LONGEST_SEARCH = 400
_ENDED = ("completed", "failed", "cancelled")
_MOST_ZONE = 16 * 3600


async def get_queue(request: web.Request) -> web.Response:
    """What runs and what is pending, in order, and whether the queue is paused or held."""
    services = request.app[SERVICES]
    limit, offset = _page(request)
    paused, (running, _), (waiting, total) = await asyncio.gather(
        services.queue.is_paused(),
        services.gallery.page(GalleryFilter(states=("running",)), limit=_MOST_ROWS, queued=True),
        services.gallery.page(
            GalleryFilter(states=("queued",)), limit=limit, offset=offset, queued=True
        ),
    )
    return answer(
        {
            "paused": paused,
            "held": services.workers.hold_reason,
            "running": [_row(each) for each in running],
            "waiting": [_row(each) for each in waiting],
            "total": total,
        }
    )


async def post_move(request: web.Request) -> web.Response:
    """Move a pending prompt before another one; to the end where `before` is null."""
    services = request.app[SERVICES]
    asked = await read_object(request)
    prompt_id, before = asked.get("prompt_id"), asked.get("before")
    if not isinstance(prompt_id, str) or not isinstance(before, str | None):
        raise refusal(400, "prompt_id and before should be ids; before may be null")
    if not await services.queue.move(prompt_id, before=before):
        raise refusal(409, "one of these prompts is not pending any more; nothing was moved")
    services.workers.wake()
    await services.workers.send_status()
    return empty_answer()


async def post_pause(request: web.Request) -> web.Response:
    """Pause the queue or resume it. The running prompt continues; a pause survives a restart."""
    services = request.app[SERVICES]
    asked = await read_object(request)
    paused = asked.get("paused")
    if not isinstance(paused, bool):
        raise refusal(400, "paused should be true or false")
    await services.queue.pause(paused=paused)
    if paused:
        services.workers.wake()
    else:
        services.workers.resume()
    await services.workers.send_status()
    return answer({"paused": paused})


async def get_history(request: web.Request) -> web.Response:
    """A page of what has run, newest first; with `days`, also how many there are of each day."""
    gallery = request.app[SERVICES].gallery
    limit, offset = _page(request)
    wanted = _read_filter(request)
    rows, total = await gallery.page(wanted, limit=limit, offset=offset)
    found: dict[str, Any] = {"jobs": [_row(each) for each in rows], "total": total}
    if is_true(request.query.get("days")):
        zone = whole_number(request, "zone", 0) or 0
        seconds = max(-_MOST_ZONE, min(_MOST_ZONE, zone * 60))
        days, workflows = await asyncio.gather(
            gallery.days(wanted, zone_seconds=seconds), gallery.workflows()
        )
        found["days"] = days
        found["workflows"] = [
            {"id": each, "title": title, "count": count} for each, title, count in workflows
        ]
    return answer(found)


async def post_star(request: web.Request) -> web.Response:
    """Star some, or remove their stars. Starred prompts are never deleted for their age."""
    asked = await read_object(request)
    await request.app[SERVICES].gallery.star(_ids(asked), starred=bool(asked.get("starred")))
    return empty_answer()


async def post_delete(request: web.Request) -> web.Response:
    """Delete some prompts from history; with `files`, their output files, too.

    With `repeats`, also the runs that showed the same files again.
    """
    services = request.app[SERVICES]
    asked = await read_object(request)
    ids = _ids(asked)
    if asked.get("repeats") is True:
        ids = await services.gallery.with_repeats(ids)
    deleted = 0
    if asked.get("files") is True:
        for each in ids:
            outcome = await services.history.outcome(each)
            if outcome is not None:
                outputs = outcome.get("outputs")
                deleted += await asyncio.to_thread(_delete_files, services, outputs)
    await services.history.delete(ids)
    await services.workers.send_status()
    return answer({"files": deleted})


def _delete_files(services: Services, outputs: object) -> int:
    """Delete the output files of a prompt; missing files and those elsewhere are skipped."""
    count = 0
    for item in _files(outputs):
        name, place, subfolder = (
            str(item.get(key, other))
            for key, other in (("filename", ""), ("type", "output"), ("subfolder", ""))
        )
        if place == "input":
            continue
        try:
            path = find(services, f"{name} [{place}]", place, subfolder)
        except RefusalError:
            continue
        path.unlink(missing_ok=True)
        count += 1
    return count


def _files(outputs: object) -> Iterator[Mapping[str, Any]]:
    for shown in outputs.values() if is_object(outputs) else ():
        for items in shown.values() if is_object(shown) else ():
            for item in items if is_array(items) else ():
                if is_object(item) and "filename" in item:
                    yield item


def _page(request: web.Request) -> tuple[int, int]:
    limit, offset = whole_number(request, "limit", 100), whole_number(request, "offset", 0)
    return min(_MOST_ROWS, max(1, limit or 100)), max(0, offset or 0)


def _read_filter(request: web.Request) -> GalleryFilter:
    query = request.query
    states = [each for each in query.get("status", ",".join(_ENDED)).split(",") if each]
    if unknown := [each for each in states if each not in STATES]:
        raise refusal(400, f"status {unknown[0][:40]!r} is none of {', '.join(STATES)}")
    return GalleryFilter(
        states=[STATES[each] for each in dict.fromkeys(states)],
        words=_words(query.get("search", "")),
        workflow=query.get("workflow_id") or None,
        batch=query.get("batch") or None,
        starred=is_true(query.get("starred")),
        since=_seconds(request, "since"),
        until=_seconds(request, "until"),
        repeats=not is_true(query.get("distinct")),
    )


def _words(text: str) -> list[str]:
    """Separate words; a quoted phrase is one."""
    folded = text[:_LONGEST_SEARCH].casefold()
    try:
        return list(dict.fromkeys(each for each in _lexed(folded) if each))
    except ValueError:
        return folded.replace('"', " ").split()


def _lexed(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.quotes, lexer.escape = True, "", '"', ""
    return list(lexer)


def _seconds(request: web.Request, name: str) -> float | None:
    found = whole_number(request, name)
    return None if found is None else found / 1000


def _ids(asked: dict[str, Any]) -> list[str]:
    given = asked.get("job_ids")
    if not is_array(given):
        raise refusal(400, "job_ids should be a list of ids")
    return [each for each in given if isinstance(each, str)]


def _row(row: GalleryRow) -> dict[str, Any]:
    found = job_json(row.job)
    more = {
        "title": row.title,
        "excerpt": row.excerpt or None,
        "batch": row.batch,
        "place": row.place,
        "starred": row.starred or None,
        "preview_text": row.job.summary.get("preview_text"),
    }
    return {**found, **{key: value for key, value in more.items() if value is not None}}
