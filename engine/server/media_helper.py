"""The helper process for pictures, as the server uses it: started when needed, one at a time.

Whatever a picture does to it, the server goes on. Knows commands, no pictures.
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from contextlib import suppress

from engine.errors import MediaError, WireError
from engine.server.logs import LogBook
from engine.wire.channel import AsyncChannel, start_child
from engine.wire.messages import Converted, MediaAnswer, MediaCommand, Refused

PATIENCE_SECONDS = 30.0


class MediaHelper:
    """Asks the helper, and starts another when it has ended."""

    def __init__(self, logs: LogBook) -> None:
        self._logs = logs
        self._lock = asyncio.Lock()
        self._process: Process | None = None
        self._channel: AsyncChannel[MediaAnswer] | None = None
        self._copying: asyncio.Task[None] | None = None

    async def ask(self, command: MediaCommand) -> bytes:
        """What the helper makes of a picture.

        Raises:
            MediaError: it cannot be made; says why.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    answer = await self._ask(command)
            except TimeoutError as error:
                await self._end()
                raise MediaError("the picture took too long to convert") from error
            except WireError as error:
                await self._end()
                raise MediaError("the picture was too much for the helper process") from error
        if isinstance(answer, Refused):
            raise MediaError(answer.reason)
        return answer.content

    async def stop(self) -> None:
        """End the helper."""
        await self._end()

    async def _ask(self, command: MediaCommand) -> Converted | Refused:
        channel = self._channel or await self._start()
        await channel.send(command)
        async for answer in channel.receive():
            return answer
        raise WireError("the helper process has ended")

    async def _start(self) -> AsyncChannel[MediaAnswer]:
        self._process, self._channel = await start_child("engine.media", [], MediaAnswer)
        if self._process.stdout is not None:
            self._copying = asyncio.create_task(self._logs.copy(self._process.stdout))
        return self._channel

    async def _end(self) -> None:
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
