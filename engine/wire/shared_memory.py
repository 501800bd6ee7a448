"""Blocks of memory that go from one process to another beside a message, without a copy by pipes.

On Linux a block is an unnamed file in memory (`memfd_create`) whose descriptor is sent over the
socket. It has no name, so nothing is left of it when all processes that use it have ended, however
they end. Elsewhere it is a file in a folder that is emptied at each start; the receiver deletes it.

A large block is sealed: nobody can write to it or shorten it any more. The receiver maps it
privately: what it writes is its own. Other blocks are used again, see `block_pool.py`: they are
sealed against shortening, and the receiver copies what it reads before it gives them back.
"""

from __future__ import annotations

import mmap
import os
import socket
import sys
import tempfile
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from engine.errors import WireError
from engine.wire.block_pool import ReceivedBlocks, SentBlock, SentBlocks
from engine.wire.channel import Channel
from engine.wire.message import Message

ALIGNMENT = 64
"""Bytes between the beginnings of two tensors are a multiple of it."""
M = TypeVar("M")
_HAS_MEMFD = sys.platform == "linux" and hasattr(os, "memfd_create")
_MOST_DESCRIPTORS = 16
_PIECE = 1 << 18


class Block(msgspec.Struct, frozen=True):
    """A block beside a message.

    Attributes:
        size: in bytes, at least 1.
        path: of its file; empty where its descriptor comes with the message.
        number: of one that is used again: its descriptor comes with the first message only; 0 for
            any other.
        dropped: numbers of the sender's blocks that come no more.
        given_back: numbers of the receiver's blocks of which the sender holds nothing any more.
    """

    size: int
    path: str = ""
    number: int = 0
    dropped: tuple[int, ...] = ()
    given_back: tuple[int, ...] = ()


class BlocksGivenBack(Message, frozen=True):
    """The receiver's blocks of which the sender holds nothing; where no block is sent."""

    numbers: tuple[int, ...]


class BlockChannel(Channel[M]):
    """A channel whose messages may come with a block of memory."""

    def __init__(self, connection: socket.socket, incoming: Any, folder: Path) -> None:
        """Take over a socket.

        Args:
            connection: the socket.
            incoming: the union of message types that may arrive.
            folder: for blocks, where memory without a name cannot be sent.
        """
        super().__init__(connection, incoming)
        self._folder = folder
        self._descriptors: deque[int] = deque()
        self._sent = SentBlocks()
        self._received = ReceivedBlocks()
        self._to_give_back: deque[int] = deque()

    def send_with(
        self, message: msgspec.Struct, parts: Sequence[tuple[int, memoryview]], size: int
    ) -> None:
        """Send a message that has a field `block`, with these bytes.

        Args:
            message: its `block` is filled in here.
            parts: bytes, each with its offset.
            size: of the block; 0 sends none.

        Raises:
            WireError: as `send`, or there is no memory for the block.
        """
        given_back = self._taken_to_give_back()
        if not size:
            if given_back:
                self.send(BlocksGivenBack(given_back))
            self.send(message)
            return
        block = self._sent.take(size) if _HAS_MEMFD else None
        if block is not None:
            self._send_again(message, parts, size, block, given_back)
            return
        descriptor, path = self._made(parts, size)
        whole = msgspec.structs.replace(message, block=Block(size, path, given_back=given_back))
        try:
            self.send_described(whole, None if path else descriptor)
        finally:
            os.close(descriptor)

    def _taken_to_give_back(self) -> tuple[int, ...]:
        found: list[int] = []
        with suppress(IndexError):  # other threads send, too
            while True:
                found.append(self._to_give_back.popleft())
        return tuple(found)

    def _send_again(
        self,
        message: msgspec.Struct,
        parts: Sequence[tuple[int, memoryview]],
        size: int,
        block: SentBlock,
        given_back: tuple[int, ...],
    ) -> None:
        """Send a message with a block that is used again."""
        is_new = block.descriptor < 0
        try:
            if is_new:
                block.descriptor, _ = self._made(parts, block.capacity, for_reuse=True)
            else:
                for offset, content in parts:
                    _write(block.descriptor, offset, content)
        except BaseException as error:
            self._sent.discard(block)
            if isinstance(error, OSError):
                raise WireError(f"there is no memory for {size:,} bytes: {error}") from error
            raise
        beside = Block(size, number=block.number, dropped=block.dropped, given_back=given_back)
        whole = msgspec.structs.replace(message, block=beside)
        self.send_described(whole, block.descriptor if is_new else None)

    def next(self) -> M | None:
        """As a channel does; blocks that are given back are noted."""
        while (message := super().next()) is not None:
            if isinstance(message, BlocksGivenBack):
                self._sent.given_back(message.numbers)
                continue
            block: Block | None = getattr(message, "block", None)
            if block is not None:
                self._sent.given_back(block.given_back)
                self._received.forget(block.dropped)
            return message
        return None

    @contextmanager
    def reading(self, block: Block | None) -> Generator[mmap.mmap | None]:
        """The memory of a message's block; call it for each message, in their order.

        Up to `MOST_REUSED` bytes are to be copied out of it: they may change afterwards. A larger
        block stays as it is.

        Raises:
            WireError: as `open`.
        """
        try:
            yield None if block is None else self.open(block)
        finally:
            if block is not None and block.number:
                self._to_give_back.append(block.number)

    def open(self, block: Block) -> mmap.mmap:
        """The memory of a block; call it for each message that has one, in their order.

        Raises:
            WireError: it is not there, or smaller than it should be.
        """
        known = self._received.find(block.number)
        if known is not None:
            if len(known) < block.size:
                raise WireError(f"a block is not the {block.size:,} bytes that it should be")
            return known
        try:
            descriptor = (
                os.open(block.path, os.O_RDONLY) if block.path else self._descriptors.popleft()
            )
        except (OSError, IndexError) as error:
            raise WireError(f"a block of {block.size:,} bytes did not come: {error}") from error
        try:
            if os.fstat(descriptor).st_size < block.size or not _is_sealed(descriptor, block):
                raise WireError(f"a block is not the {block.size:,} bytes that it should be")
            if block.number:
                return self._received.add(block.number, descriptor)
            return mmap.mmap(descriptor, block.size, access=mmap.ACCESS_COPY)
        except (OSError, ValueError, OverflowError) as error:
            raise WireError(f"a block of {block.size:,} bytes cannot be used: {error}") from error
        finally:
            os.close(descriptor)
            if block.path:
                with suppress(OSError):
                    Path(block.path).unlink()

    def _made(
        self, parts: Sequence[tuple[int, memoryview]], size: int, *, for_reuse: bool = False
    ) -> tuple[int, str]:
        """A descriptor of a block with these bytes, and its path if it has one."""
        path = ""
        try:
            if _HAS_MEMFD:
                flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
                descriptor = os.memfd_create("calotype", flags)
            else:
                self._folder.mkdir(parents=True, exist_ok=True)
                descriptor, path = tempfile.mkstemp(prefix="block-", dir=self._folder)
        except OSError as error:
            raise WireError(f"there is no memory for {size:,} bytes: {error}") from error
        try:
            os.truncate(descriptor, size)
            for offset, content in parts:
                _write(descriptor, offset, content)
            _seal(descriptor, for_reuse=for_reuse)
        except BaseException as error:
            os.close(descriptor)
            if path:
                Path(path).unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise WireError(f"there is no memory for {size:,} bytes: {error}") from error
            raise
        return descriptor, path

    def _read(self) -> bool:
        """As a channel does, with the descriptors that arrive."""
        if not _HAS_MEMFD:
            return super()._read()
        try:
            piece, descriptors, _, _ = socket.recv_fds(
                self._socket, _PIECE, _MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
            )
        except OSError:
            return False
        self._descriptors.extend(descriptors)
        self._arrived += piece
        return bool(piece)

    def close(self) -> None:
        """Let the other side read the end, and close what was not taken."""
        super().close()
        self._sent.close()
        while self._descriptors:
            os.close(self._descriptors.popleft())


def _write(descriptor: int, offset: int, content: memoryview) -> None:
    while content:
        written = os.pwrite(descriptor, content, offset)
        content, offset = content[written:], offset + written


def _seal(descriptor: int, *, for_reuse: bool = False) -> None:
    if _HAS_MEMFD:
        import fcntl  # noqa: PLC0415 - there is none on Windows

        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        seals |= 0 if for_reuse else fcntl.F_SEAL_WRITE
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)


def _is_sealed(descriptor: int, block: Block) -> bool:
    """Whether the sender can no longer shorten it, which would end this process while it reads."""
    if block.path or not _HAS_MEMFD:
        return True
    import fcntl  # noqa: PLC0415 - there is none on Windows

    wanted = fcntl.F_SEAL_SHRINK | (0 if block.number else fcntl.F_SEAL_WRITE)
    return fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & wanted == wanted
