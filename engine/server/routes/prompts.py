"""Prompts: accept, list, remove, stop; history; freeing memory."""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NoReturn

import msgspec
from aiohttp import web

from engine.errors import IdTakenError, PromptError, WorkflowError
from engine.forecast.studied import study
from engine.graph.literals import HasFile
from engine.graph.object_info import ListFolder
from engine.graph.problems import Problem, Report, refusal
from engine.graph.prompt import Prompt, parse, to_api
from engine.graph.validate import missing_files, validate
from engine.graph.workflow import Conversion, convert
from engine.json_text import JsonError, may_have_lone_surrogates, read_json, replace_lone_surrogates
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
from engine.server.notes import note_of
from engine.server.running import MOST_NODE_ERRORS, NODE_ERRORS
from engine.server.services import SERVICES, Services
from engine.store.entries import Entry, Texts, texts_of
from engine.store.history import PAGE

BIG = 256 << 10
"""History larger than this many bytes is sent in parts."""
_NOT_STORED = ("auth_token_comfy_org", "api_key_comfy_org", NODE_ERRORS)
"""Secrets, and keys that only the server sets."""
_LONGEST_ID = 200
_SMALL = 32 << 10
"""Bytes of a body that is decoded and validated within a fraction of a millisecond."""


@dataclass(frozen=True, slots=True)
class _Accepted:
    entry: Entry
    texts: Texts
    front: bool
    number: float | None
    node_errors: dict[str, Any]


async def post_prompt(request: web.Request) -> web.Response:
    """Accept a prompt: after the response, it survives crashes and power loss."""
    services = request.app[SERVICES]
    body = await read_body(request)
    accepted = _examine_at_once(body, services)
    if accepted is None:
        accepted = await asyncio.to_thread(_read_prompt, body, services, services.listing.list)
    try:
        put = await services.workers.accept(
            accepted.entry, accepted.texts, front=accepted.front, number=accepted.number
        )
    except IdTakenError as error:
        raise _refused("prompt_id_taken", str(error), status=409) from error
    entry = put.entry
    number = int(entry.number) if entry.number.is_integer() else entry.number
    return answer({"prompt_id": entry.id, "number": number, "node_errors": accepted.node_errors})


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


class _FolderNeededError(Exception):
    """A folder has to be read, which may take long."""


def _examine_at_once(body: bytes, services: Services) -> _Accepted | None:
    """`_read_prompt` for a small body that names no files; None for any other.

    The others are examined in a thread: folders may be slow, and the event loop has other work.
    """
    if len(body) > _SMALL:
        return None

    def refuse(*_: str) -> NoReturn:
        raise _FolderNeededError

    try:
        return _read_prompt(body, services, refuse, refuse)
    except _FolderNeededError:
        return None


def _read_prompt(
    body: bytes,
    services: Services,
    list_folder: ListFolder,
    has_file: HasFile | None = None,
) -> _Accepted:
    """Parse and validate the body of a prompt.

    Raises:
        RefusalError: it cannot run; the body names the node and the input.
    """
    asked = _decode(body)
    targets = asked.get("partial_execution_targets")
    if targets is not None and not _is_texts(targets):
        raise _refused("invalid_prompt", "partial_execution_targets should be a list of node ids")
    try:
        prompt = parse(asked.get("prompt"))
    except PromptError as error:
        raise RefusalError(400, refusal(error)) from error
    report = _validated(prompt, services, targets, list_folder, has_file or services.files.has)
    if report.error is not None:
        raise RefusalError(400, report.to_json())
    changed = report.prompt is not prompt
    prompt = to_api(report.prompt) if changed else asked["prompt"]
    entry = _entry(asked, prompt, report, services)
    return _Accepted(
        entry=entry,
        texts=texts_of(entry),
        front=bool(asked.get("front")),
        number=_number(asked.get("number")),
        node_errors=report.node_errors_json(),
    )


def _validated(
    prompt: Prompt,
    services: Services,
    targets: list[str] | None,
    list_folder: ListFolder,
    has_file: HasFile,
) -> Report:
    return validate(
        prompt,
        services.catalog.schemas,
        list_folder=list_folder,
        has_file=has_file,
        wanted=targets,
        most_bytes=services.memory,
    )


def _entry(
    asked: dict[str, Any], prompt: dict[str, Any], report: Report, services: Services
) -> Entry:
    preview = services.settings.preview_method
    prompt_id, client = asked.get("prompt_id"), asked.get("client_id")
    given: Any = asked.get("extra_data") or {}
    if not is_object(given):
        raise _refused("invalid_prompt", "extra_data should be an object")
    if prompt_id is not None and not isinstance(prompt_id, str | int):
        raise _refused("invalid_prompt", "prompt_id should be a string")
    if len(str(prompt_id)) > _LONGEST_ID or len(str(client)) > _LONGEST_ID:
        raise _refused("invalid_prompt", f"an id has at most {_LONGEST_ID} characters")
    now = time.time()
    extra = {key: value for key, value in given.items() if key not in _NOT_STORED}
    if report.node_errors:
        # History says which outputs were not run, and why.
        listed = islice(report.node_errors.items(), MOST_NODE_ERRORS)
        extra[NODE_ERRORS] = {node_id: each.to_json() for node_id, each in listed}
    if client is not None:
        extra["client_id"] = client
    if extra.get("preview_method") == "default":
        del extra["preview_method"]
    if preview != "none":
        extra.setdefault("preview_method", preview)
    extra["create_time"] = round(now * 1000)
    return Entry(
        id=str(prompt_id) if prompt_id not in (None, "") else str(uuid.uuid4()),
        prompt=prompt,
        wanted=report.outputs,
        extra=extra,
        client=None if client is None else str(client),
        workflow=_workflow_id(extra),
        created=now,
        note=note_of(prompt, extra),
        studied=study(report, services.catalog.schemas),
    )


def _workflow_id(extra: dict[str, Any]) -> str | None:
    found: Any = extra
    for key in ("extra_pnginfo", "workflow", "id"):
        found = found.get(key) if is_object(found) else None
    return found if isinstance(found, str) else None


def _number(given: Any) -> float | None:
    if given is None:
        return None
    try:
        number = float(given)
    except (TypeError, ValueError, OverflowError) as error:
        raise _refused("invalid_prompt", "number should be a number") from error
    if not math.isfinite(number):
        raise _refused("invalid_prompt", "number should be a finite number")
    return number


def _check(body: bytes, services: Services, targets: list[str] | None) -> dict[str, Any]:
    asked = _decode(body)
    catalog = services.catalog.schemas
    try:
        found: Conversion = convert(asked, catalog)
    except PromptError as error:
        raise RefusalError(400, refusal(error)) from error
    except WorkflowError as error:
        raise _refused("invalid_workflow", str(error)) from error
    listing, files = services.listing.list, services.files.has
    report = _validated(found.prompt, services, targets, listing, files)
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
            "notes": found.notes,
        },
    }


def _decode(body: bytes) -> dict[str, Any]:
    """The body as an object.

    Raises:
        RefusalError: it is none.
    """
    try:
        found = read_json(body)
    except JsonError as error:
        message = f"the body is no JSON that can be read: {error}"
        raise _refused("invalid_prompt", message) from error
    if not is_object(found):
        raise _refused("invalid_prompt", "the body should be a JSON object with a prompt")
    if may_have_lone_surrogates(
        body
    ):  # outside the prompt they are replaced, in it they are a problem
        return {
            key: each if key == "prompt" else replace_lone_surrogates(each)
            for key, each in found.items()
        }
    return found


def _refused(kind: str, message: str, *, status: int = 400) -> RefusalError:
    return RefusalError(status, {"error": Problem(kind, message, "").to_json(), "node_errors": {}})


def _is_texts(value: Any) -> bool:
    return is_array(value) and all(isinstance(each, str) for each in value)
