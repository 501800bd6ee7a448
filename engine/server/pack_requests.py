"""Answers plugins in the worker that ask for the queue and the history, or change them."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from engine.errors import CalotypeError
from engine.server.answers import RefusalError, is_object
from engine.server.services import Services
from engine.server.submission import read_submission
from engine.wire.pack_messages import AskServer, ServerAnswer


async def answer_plugin(asked: AskServer, services: Services) -> ServerAnswer:
    """The answer; what cannot be done is said in a sentence."""
    try:
        body = await _answer(asked.what, asked.body, services)
    except RefusalError as refused:
        return ServerAnswer(asked.number, error=_sentence(refused.body))
    except (CalotypeError, msgspec.MsgspecError, ValueError) as error:
        return ServerAnswer(asked.number, error=str(error))
    return ServerAnswer(asked.number, body)


async def _answer(what: str, body: bytes, services: Services) -> bytes:
    """As JSON.

    Raises:
        RefusalError: a prompt cannot run.
        CalotypeError: the store refused.
        ValueError: nobody knows what is asked.
    """
    match what:
        case "remaining":
            remaining = await services.queue.remaining()
            job = services.workers.current
            early = job is not None and not job.accepted  # it runs, and is not stored yet
            return msgspec.json.encode(remaining + early)
        case "queue":
            running = await services.queue.items("running")
            pending = await services.queue.items("queued")
            return b'{"queue_running":%b,"queue_pending":%b}' % (running, pending)
        case "history":
            return await _history(_members(body), services)
        case "put":
            given = await asyncio.to_thread(read_submission, body, services, services.listing.list)
            put = await services.workers.accept(
                given.entry, given.texts, front=given.front, number=given.number
            )
            return msgspec.json.encode(put.entry.id)
        case "delete_queue":
            asked = _members(body)
            if asked.get("clear"):
                await services.queue.clear()
            await services.queue.delete([str(each) for each in asked.get("delete", ())])
            services.workers.wake()
            await services.workers.send_status()
        case "delete_history":
            asked = _members(body)
            if asked.get("clear"):
                await services.history.clear()
            await services.history.delete([str(each) for each in asked.get("delete", ())])
        case "free":
            asked = _members(body)
            services.workers.free(weights=True, results=bool(asked.get("free_memory")))
        case "interrupt":
            services.workers.interrupt(_members(body).get("prompt_id"))
        case "status":
            await services.workers.send_status()
        case "address":
            return msgspec.json.encode(services.address)
        case _:
            raise ValueError(f"the server does not know the question {what!r}")
    return b"null"


async def _history(asked: dict[str, Any], services: Services) -> bytes:
    if asked.get("prompt_id") is not None:
        return await services.history.entry(str(asked["prompt_id"]))
    most, offset = asked.get("max_items"), asked.get("offset", -1)
    start = None if offset is None or offset < 0 else int(offset)
    pages = [each async for each in services.history.pages(limit=most, offset=start)]
    return b"{%b}" % b",".join(pages)


def _members(body: bytes) -> dict[str, Any]:
    found = msgspec.json.decode(body)
    return found if is_object(found) else {}


def _sentence(body: object) -> str:
    """The reason in a refusal's body."""
    error: Any = body.get("error") if is_object(body) else body
    if is_object(error):
        return ": ".join(filter(None, (str(error.get("message")), str(error.get("details", "")))))
    return str(error)
