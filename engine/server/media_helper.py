"""The helper processes for pictures, as the server uses them: started when needed.

Two of them: one for pictures that are quick to decode, one for large ones, so that a large one
delays no other. A picture that crashes its helper does not affect the server.
"""

from __future__ import annotations

import asyncio
import itertools
from asyncio.subprocess import Process
from contextlib import suppress

import msgspec

from engine.errors import MediaError, WireError
from engine.server.logs import LogBook
from engine.wire.channel import AsyncChannel, start_child
from engine.wire.messages import Deferred, MediaAnswer, MediaCommand, Refused

PATIENCE_SECONDS = 30.0


class MediaHelper:
    """Tries the helper for quick pictures first, then the one for large ones if that declines."""

    def __init__(self, logs: LogBook) -> None:
        self._quick = _Helper(logs, ["--quick"])
        self._slow = _Helper(logs, [])

    async def ask(self, command: MediaCommand) -> bytes:
        """The result of a command.

        Raises:
            MediaError: there is none; says why.
        """
        answer = await self._quick.ask(command)
        if isinstance(answer, Deferred):
            answer = await self._slow.ask(command)
        if isinstance(answer, Refused):
            raise MediaError(answer.reason)
        if isinstance(answer, Deferred):
            raise MediaError("the picture is too large for the helper process")
        return answer.content

    async def stop(self) -> None:
        """End the helpers."""
        await self._quick.stop()
        await self._slow.stop()


class _Helper:
    """One process that handles one command at a time, and is restarted when it has ended."""

    def __init__(self, logs: LogBook, arguments: list[str]) -> None:
        self._logs = logs
        self._arguments = arguments
        self._lock = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._process: Process | None = None
        self._channel: AsyncChannel[MediaAnswer] | None = None
        self._copying: asyncio.Task[None] | None = None

    async def ask(self, command: MediaCommand) -> MediaAnswer:
        """The answer to a command.

        If the caller is cancelled, the exchange still completes, so that its answer is not mistaken
        for that of the next command.

        Raises:
            MediaError: there is none.
        """
        exchange = asyncio.create_task(self._exchange(command))
        exchange.add_done_callback(_ignore_failure)
        return await asyncio.shield(exchange)

    async def _exchange(self, command: MediaCommand) -> MediaAnswer:
        async with self._lock:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    return await self._ask(command)
            except TimeoutError as error:
                await self.stop()
                raise MediaError("the picture took too long to convert") from error
            except WireError as error:
                await self.stop()
                raise MediaError("the picture was too much for the helper process") from error

    async def stop(self) -> None:
        """End the process."""
        process, channel, copying = self._process, self._channel, self._copying
        self._process = self._channel = self._copying = None
        if channel is not None:
            channel.close()
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if copying is not None:
            await copying

    async def _ask(self, command: MediaCommand) -> MediaAnswer:
        """The answer with the command's own number; any other is skipped."""
        channel = self._channel or await self._start()
        number = next(self._numbers)
        await channel.send(msgspec.structs.replace(command, number=number))
        async for answer in channel.receive():
            if answer.number == number:
                return answer
        raise WireError("the helper process has ended")

    async def _start(self) -> AsyncChannel[MediaAnswer]:
        self._process, self._channel = await start_child(
            "engine.media", self._arguments, MediaAnswer
        )
        if self._process.stdout is not None:
            self._copying = asyncio.create_task(self._logs.copy(self._process.stdout))
        return self._channel


def _ignore_failure(exchange: asyncio.Task[MediaAnswer]) -> None:
    """The exception of an exchange whose caller was cancelled is not reported."""
    if not exchange.cancelled():
        exchange.exception()
