"""Prompts: accept, list, remove, stop; history; freeing memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
from aiohttp import web

from engine.downloads.needs import describe_needs
from engine.errors import IdTakenError, PromptError, WorkflowError
from engine.graph.problems import refusal
from engine.graph.prompt import to_api
from engine.graph.validate import missing_files
from engine.graph.workflow import Conversion, convert
from engine.record.make import packs_now
from engine.server.answers import (
    JSON,
    RefusalError,
    answer,
    empty_answer,
    is_array,
    is_object,
    raw_answer,
    read_body,
    read_object,
    whole_number,
)
from engine.server.services import SERVICES, Services
from engine.server.submission import (
    Submission,
    check,
    decode_body,
    read_at_once,
    read_submission,
    refused,
)
from engine.store.history import PAGE

PREVIEWS = web.AppKey("previews", str)
"""How previews are made of prompts that leave the choice to a server that makes none."""
_PACKS_SECONDS = 600.0
"""How long a prompt waits for packs that load."""
BIG = 256 << 10
"""History larger than this many bytes is sent in parts."""


async def post_prompt(request: web.Request) -> web.Response:
    """Accept a prompt: after the response, it survives crashes and power loss."""
    services = request.app[SERVICES]
    body = await services.served.change_prompt(await read_body(request))
    previews = request.app.get(PREVIEWS, "none")
    try:
        given = await _read(body, services, previews)
    except RefusalError as error:
        # Its class may be one of a pack that is loaded for the first time.
        if "missing_node_type" not in str(error.body) or not await services.packs.wait(
            _PACKS_SECONDS
        ):
            raise
        given = await _read(body, services, previews)
    try:
        put = await services.workers.accept(
            given.entry, given.texts, front=given.front, number=given.number
        )
    except IdTakenError as error:
        raise refused("prompt_id_taken", str(error), status=409) from error
    entry = put.entry
    number = int(entry.number) if entry.number.is_integer() else entry.number
    return answer({"prompt_id": entry.id, "number": number, "node_errors": given.node_errors})


async def _read(body: bytes, services: Services, previews: str) -> Submission:
    given = read_at_once(body, services, previews)
    if given is None:
        listed = services.listing.list
        given = await asyncio.to_thread(read_submission, body, services, listed, previews=previews)
    return given


async def get_prompt(request: web.Request) -> web.Response:
    """How many prompts are pending or running."""
    remaining = await request.app[SERVICES].queue.remaining()
    return answer({"exec_info": {"queue_remaining": remaining}})


async def post_check(request: web.Request) -> web.Response:
    """Convert a workflow or a prompt to a prompt; returns it with its problems and the plan."""
    services = request.app[SERVICES]
    body = await read_body(request)
    await services.observer.wait_until_idle()
    found = await asyncio.to_thread(_check, body, services, request.query.getall("target", None))
    return answer(found)


async def get_queue(request: web.Request) -> web.Response:
    """Running and pending prompts; `max_items` and `offset` give a page of the pending ones."""
    queue = request.app[SERVICES].queue
    running = await queue.items("running")
    limit, offset = whole_number(request, "max_items"), whole_number(request, "offset", 0)
    pending = await queue.items("queued", limit=limit, offset=max(0, offset or 0))
    return raw_answer(b'{"queue_running":%b,"queue_pending":%b}' % (running, pending))


async def post_queue(request: web.Request) -> web.Response:
    """Delete pending prompts: all with `clear`, or those in `delete`."""
    services = request.app[SERVICES]
    asked = await read_object(request)
    if asked.get("clear"):
        await services.queue.clear()
    if ids := _ids(asked):
        await services.queue.delete(ids)
    services.workers.wake()
    await services.workers.send_status()
    return empty_answer()


async def post_interrupt(request: web.Request) -> web.Response:
    """Stop the running prompt, or only if it is the given one. A body without JSON is ignored."""
    try:
        asked = msgspec.json.decode(await read_body(request, most=1 << 20))
    except (msgspec.MsgspecError, RecursionError):
        asked = None
    prompt_id = asked.get("prompt_id") if is_object(asked) else None
    wanted = prompt_id if isinstance(prompt_id, str) and prompt_id else None
    request.app[SERVICES].workers.interrupt(wanted)
    return empty_answer()


async def post_free(request: web.Request) -> web.Response:
    """Free memory as soon as nothing runs."""
    asked = await read_object(request)
    request.app[SERVICES].workers.free(
        weights=bool(asked.get("unload_models")) or bool(asked.get("free_memory")),
        results=bool(asked.get("free_memory")),
    )
    return empty_answer()


async def get_history(request: web.Request) -> web.StreamResponse:
    """History, oldest first; streamed, as it may be hundreds of megabytes."""
    limit, offset = whole_number(request, "max_items"), whole_number(request, "offset", -1)
    start = None if offset is None or offset < 0 else offset
    most = None if limit is not None and limit < 0 else limit
    history = request.app[SERVICES].history
    if most is not None and most <= PAGE:
        return raw_answer(await history.entries(limit=most, offset=start))
    pages = history.pages(limit=most, offset=start)
    begun: list[bytes] = []
    async for page in pages:
        begun.append(page)
        if sum(map(len, begun)) > BIG:
            return await _stream_object(request, b",".join(begun), pages)
    return raw_answer(b"{%b}" % b",".join(begun))


async def _stream_object(
    request: web.Request, begun: bytes, pages: AsyncIterator[bytes]
) -> web.StreamResponse:
    """Stream a JSON object: the parts read already, and those still to be read."""
    response = web.StreamResponse(headers={"Content-Type": f"{JSON}; charset=utf-8"})
    await response.prepare(request)
    if request.method != "HEAD":
        await response.write(b"{" + begun)
        async for page in pages:
            await response.write(b"," + page)
        await response.write(b"}")
    await response.write_eof()
    return response


async def get_history_entry(request: web.Request) -> web.Response:
    """One prompt of history; `{}` where there is none of that id."""
    history = request.app[SERVICES].history
    return raw_answer(await history.entry(request.match_info["prompt_id"]))


async def post_history(request: web.Request) -> web.Response:
    """Delete history: all with `clear`, or those in `delete`."""
    history = request.app[SERVICES].history
    asked = await read_object(request)
    if asked.get("clear"):
        await history.clear()
    if ids := _ids(asked):
        await history.delete(ids)
    return empty_answer()


def _ids(asked: dict[str, Any]) -> list[str]:
    given = asked.get("delete")
    if given is None:
        return []
    if not is_array(given):
        raise RefusalError(400, {"error": "delete should be a list of prompt ids"})
    return [each for each in given if isinstance(each, str)]


def _check(body: bytes, services: Services, targets: list[str] | None) -> dict[str, Any]:
    asked = decode_body(body)
    catalog = services.catalog.schemas
    try:
        found: Conversion = convert(asked, catalog)
    except PromptError as error:
        raise RefusalError(400, refusal(error)) from error
    except WorkflowError as error:
        raise refused("invalid_workflow", str(error)) from error
    listing, files = services.listing.list, services.files.has
    report = check(found.prompt, services, targets, listing, files)
    if found.missing:
        missing = missing_files(found.prompt, catalog, listing, files)
        report = replace(report, node_errors={**report.node_errors, **missing})
    plan = services.forecast.plan(report.prompt, report.outputs)
    return {
        "prompt": to_api(report.prompt),
        "plan": msgspec.to_builtins(plan),
        "report": {
            **report.to_json(),
            "outputs": report.outputs,
            "missing": {name: list(ids) for name, ids in found.missing.items()},
            "absences": found.absences,
            "notes": found.notes,
        },
        "needs": describe_needs(
            *(asked, found, catalog, services.files, services.settings, services.listing.list),
            find_pack=packs_now(services.recorder),
        ),
    }
