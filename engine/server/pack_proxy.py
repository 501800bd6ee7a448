"""Passes requests on to the worker's local server, where plugins' routes are served.

Bodies are streamed both ways, WebSockets are joined. The worker answers in a thread of its own, so
that it does so while it computes, too.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
from aiohttp import WSMsgType, hdrs, web
from multidict import CIMultiDict
from yarl import URL

from engine.server.answers import RefusalError, refusal, too_large
from engine.server.guard import COOKIE
from engine.server.pack_policy import restrict
from engine.wire.local_address import ON_PROMPT, SECRET_HEADER, LocalAddress

_CONNECT_SECONDS = 5.0
_MOST_SOCKET_MESSAGE = 64 << 20
_HOP_BY_HOP = (
    hdrs.CONNECTION,
    hdrs.EXPECT,
    hdrs.KEEP_ALIVE,
    hdrs.PROXY_AUTHENTICATE,
    hdrs.PROXY_AUTHORIZATION,
    hdrs.TE,
    hdrs.TRAILER,
    hdrs.TRANSFER_ENCODING,
    hdrs.UPGRADE,
)
_OF_SOCKETS = (
    hdrs.SEC_WEBSOCKET_KEY,
    hdrs.SEC_WEBSOCKET_VERSION,
    hdrs.SEC_WEBSOCKET_EXTENSIONS,
    hdrs.SEC_WEBSOCKET_PROTOCOL,
)
GONE = "the plugin's worker ended during the request; it is being restarted, try again"


class PackProxy:
    """The connection to the local server of one worker."""

    def __init__(self, address: LocalAddress, *, most_upload: int, has_tokens: bool) -> None:
        """Connect later.

        Args:
            address: of the local server.
            most_upload: bytes of the largest body.
            has_tokens: whether `Authorization` holds our token, which no plugin gets.
        """
        connector = (
            aiohttp.UnixConnector(address.path, limit=0)
            if address.path
            else aiohttp.TCPConnector(limit=0)
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=(
                hdrs.USER_AGENT,
                hdrs.ACCEPT,
                hdrs.ACCEPT_ENCODING,
                hdrs.CONTENT_TYPE,
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            read_bufsize=1 << 18,
        )
        self._base = f"http://127.0.0.1:{address.port or 80}"
        self._secret = address.secret
        self._path = address.path
        self._most_upload = most_upload
        self._has_tokens = has_tokens

    async def close(self) -> None:
        """End what is under way; the worker is gone, and so is its socket."""
        await self._session.close()
        if self._path:
            with suppress(OSError):
                await asyncio.to_thread(os.unlink, self._path)

    async def change_prompt(self, body: bytes, seconds: float) -> bytes:
        """A prompt's body as plugins change it.

        Raises:
            TimeoutError: they take longer than that.
            aiohttp.ClientError: the worker is gone.
            ValueError: it answered with an error.
        """
        headers = {SECRET_HEADER: self._secret, hdrs.CONTENT_TYPE: "application/json"}
        async with (
            asyncio.timeout(seconds),
            self._session.post(f"{self._base}{ON_PROMPT}", data=body, headers=headers) as response,
        ):
            content = await response.read()
            if response.status != 200:
                raise ValueError(content[:500].decode("utf-8", "replace"))
            return content

    async def pass_on(self, request: web.Request, path: str, policy: str) -> web.StreamResponse:
        """Answer a request with what a plugin answers.

        Args:
            request: that the guard has accepted.
            path: what the worker serves it under, encoded.
            policy: the Content-Security-Policy of the answer.

        Raises:
            RefusalError: the worker is gone, or the body is too large.
        """
        query = request.rel_url.raw_query_string
        url = URL(f"{self._base}{path}{'?' if query else ''}{query}", encoded=True)
        try:
            if request.headers.get(hdrs.UPGRADE, "").lower() == "websocket":
                return await self._join_sockets(request, url)
            return await self._stream(request, url, policy)
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            if isinstance(error.__cause__, RefusalError):  # of the body, while it was sent
                raise error.__cause__ from error
            raise refusal(503, GONE) from error

    async def _stream(self, request: web.Request, url: URL, policy: str) -> web.StreamResponse:
        has_body = request.can_read_body
        if (request.content_length or 0) > self._most_upload:
            raise too_large(self._most_upload)
        headers = self._headers(request)
        if has_body and request.content_length is not None:
            headers[hdrs.CONTENT_LENGTH] = str(request.content_length)
        async with self._session.request(
            request.method,
            url,
            headers=headers,
            data=self._body(request) if has_body else None,
            allow_redirects=False,
        ) as answer:
            given = CIMultiDict(answer.headers)
            for name in _HOP_BY_HOP:
                given.popall(name, None)
            restrict(given, policy)
            response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=given)
            await response.prepare(request)
            if request.method == hdrs.METH_HEAD:
                return response
            try:
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
            except (aiohttp.ClientError, ConnectionError):
                # Some of it is sent: its end must not look like the end of the answer.
                if request.transport is not None:
                    request.transport.abort()
            return response

    async def _body(self, request: web.Request) -> AsyncIterator[bytes]:
        size = 0
        async for piece in request.content.iter_any():
            size += len(piece)
            if size > self._most_upload:
                raise too_large(self._most_upload)
            yield piece

    async def _join_sockets(self, request: web.Request, url: URL) -> web.StreamResponse:
        wanted = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "")
        protocols = tuple(each.strip() for each in wanted.split(",") if each.strip())
        headers = self._headers(request)
        for name in _OF_SOCKETS:
            headers.popall(name, None)
        try:
            theirs = await self._session.ws_connect(
                url, headers=headers, protocols=protocols, max_msg_size=_MOST_SOCKET_MESSAGE
            )
        except aiohttp.WSServerHandshakeError as error:
            raise refusal(error.status, "the plugin refused the WebSocket") from error
        async with theirs:
            chosen = (theirs.protocol,) if theirs.protocol else ()
            ours = web.WebSocketResponse(
                protocols=chosen, max_msg_size=_MOST_SOCKET_MESSAGE, compress=False
            )
            await ours.prepare(request)
            ways = [
                asyncio.create_task(_copy(ours, theirs)),
                asyncio.create_task(_copy(theirs, ours)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            with suppress(ConnectionError):
                await ours.close(code=theirs.close_code or 1000)
        return ours

    def _headers(self, request: web.Request) -> CIMultiDict[str]:
        """The request's headers without those of one connection, and without our credentials."""
        headers = CIMultiDict(request.headers)
        named = [each.strip() for each in headers.get(hdrs.CONNECTION, "").split(",")]
        for name in (*_HOP_BY_HOP, *filter(None, named), hdrs.CONTENT_LENGTH, SECRET_HEADER):
            headers.popall(name, None)
        if self._has_tokens:
            headers.popall(hdrs.AUTHORIZATION, None)
        cookies = "; ".join(
            each.strip()
            for each in "; ".join(headers.popall(hdrs.COOKIE, [])).split(";")
            if each.strip() and each.partition("=")[0].strip() != COOKIE
        )
        if cookies:
            headers[hdrs.COOKIE] = cookies
        headers["X-Forwarded-For"] = request.remote or ""
        headers["X-Forwarded-Proto"] = request.scheme
        headers[SECRET_HEADER] = self._secret
        return headers


async def _copy(
    source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
    target: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
) -> None:
    """Pass messages on until one side closes."""
    async for message in source:
        if message.type is WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await target.send_bytes(message.data)
