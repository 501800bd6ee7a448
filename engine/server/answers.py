"""Bodies in and out: read within limits, whatever their content type says; written as JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeGuard

import msgspec
from aiohttp import web

from engine.json_text import replace_lone_surrogates

MOST_JSON = 64 << 20
JSON = "application/json"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RefusalError(Exception):
    """Ends a request with this status and body."""

    def __init__(self, status: int, body: object) -> None:
        self.status = status
        self.body = body
        super().__init__(status)


def refusal(status: int, message: str) -> RefusalError:
    """The plain form of an error: `{"error": message}`."""
    return RefusalError(status, {"error": message})


def answer(value: object, *, status: int = 200) -> web.Response:
    """A value as JSON. NaN becomes null, and half a character a replacement for it."""
    try:
        body = msgspec.json.encode(value, enc_hook=str)
    except UnicodeEncodeError:
        body = msgspec.json.encode(
            replace_lone_surrogates(msgspec.to_builtins(value, enc_hook=str))
        )
    return web.Response(body=body, status=status, content_type=JSON)


def raw_answer(body: str | bytes) -> web.Response:
    """A text that is JSON."""
    encoded = body.encode("utf-8", "replace") if isinstance(body, str) else body
    return web.Response(body=encoded, content_type=JSON)


@web.middleware
async def compress(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Send JSON and text compressed, where the client takes that and it is not so already."""
    response = await handler(request)
    text = response.content_type == JSON or response.content_type.startswith("text/")
    if text and "Content-Encoding" not in response.headers and isinstance(response, web.Response):
        response.enable_compression()
    return response


def empty_answer() -> web.Response:
    """A successful response without a body."""
    return web.Response()


async def read_body(request: web.Request, *, most: int = MOST_JSON) -> bytes:
    """The body.

    Raises:
        RefusalError: 413, it is larger than `most`.
    """
    if (request.content_length or 0) > most:
        raise too_large(most)
    body = bytearray()
    async for chunk in request.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > most:
            raise too_large(most)
    return bytes(body)


async def read_json(request: web.Request, *, most: int = MOST_JSON) -> Any:
    """The body as JSON, whatever its content type.

    Raises:
        RefusalError: 400, it is not JSON; 413, it is too large.
    """
    body = await read_body(request, most=most)
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise refusal(400, f"the body is no JSON that can be read: {error}") from error


async def read_object(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        RefusalError: 400, it is not an object; 413, it is too large.
    """
    found = await read_json(request)
    if not is_object(found):
        raise refusal(400, "the body should be a JSON object")
    return found


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether decoded JSON is an object."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeGuard[list[Any]]:
    """Whether decoded JSON is a list."""
    return isinstance(value, list)


def too_large(most: int) -> RefusalError:
    """413."""
    return refusal(413, f"the body is larger than {most >> 20} MB")


def whole_number(request: web.Request, name: str, default: int | None = None) -> int | None:
    """A number in the query.

    Raises:
        RefusalError: 400, it is none.
    """
    text = request.query.get(name)
    if text is None:
        return default
    try:
        return max(-(1 << 62), min(int(text), 1 << 62))
    except ValueError as error:
        raise refusal(400, f"{name} should be a whole number") from error


def is_true(text: str | None) -> bool:
    """Whether a form or query says yes."""
    return text is not None and text.lower() in {"true", "1"}
