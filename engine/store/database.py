"""One SQLite file: what was answered survives kill -9 and power loss.

All writing is done by one connection in one thread, and pending work is committed together, so
that durability costs one flush, and each event loop one wake-up, for many callers. Reading has its
own connection and thread, which never write: no reader waits for a flush. The tables are defined in
`migrations.py`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from engine.errors import StoreError
from engine.store.notice import Notice
from engine.store.opening import (
    Connect,
    advice,
    is_damage,
    open_database,
    open_to_read,
    open_to_write,
)
from engine.store.salvage import replacing_text

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
Answer = tuple[Any, Exception | None]
"""What work returned, or what it raised."""

_MOST_TOGETHER = 256
_LATER = 0.2
"""Seconds that work which is not urgent waits for other work."""


class _Request(NamedTuple):
    """Pieces of work that are answered together.

    Attributes:
        future: of an event loop, for one `Answer` for each piece; or of a thread, for the value of
            the only one.
        urgent: whether it is committed at once; if not, with what is asked next.
    """

    works: Sequence[Work[Any]]
    future: asyncio.Future[list[Answer]] | Future[Any]
    urgent: bool = True


class Database:
    """The open file. `run` and `read` are all that other modules need.

    Attributes:
        notices: repairs of a damaged file, newest last.
    """

    def __init__(
        self,
        path: Path,
        *,
        connect: Connect | None = None,
        on_notice: Callable[[Notice], None] | None = None,
    ) -> None:
        """Open or make the file, bring it up to date, and start its threads.

        The readable rows of a damaged file are copied to a new one; the damaged one is not deleted.

        Args:
            path: of the file.
            connect: opens it, for reading too; for tests that simulate a power cut.
            on_notice: called in the writing thread when damage is found later.

        Raises:
            StoreError: it was written by a newer Calotype, or cannot be opened.
        """
        self.notices: list[Notice] = []
        self._path = path
        self._connect = connect or open_to_write
        self._on_notice = on_notice
        self._connection = self._open()
        self._writes: SimpleQueue[_Request | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._write, name="calotype-store", daemon=True)]
        self._reads = self._writes
        self._queues = [self._writes]
        self._reader: sqlite3.Connection | None = None
        self._reading = threading.Lock()
        if connect is None:
            self._reads = SimpleQueue[_Request | None]()
            reading = threading.Thread(target=self._read, name="calotype-reader", daemon=True)
            self._threads.append(reading)
            self._queues.append(self._reads)
        for each in self._threads:
            each.start()

    async def run(self, work: Work[T]) -> T:
        """Do work that may write; when this returns, what it wrote is on disk."""
        return _result(*(await _ask(self._writes, [work]))[0])

    async def run_together(self, works: Sequence[Work[Any]]) -> list[Answer]:
        """Work for one commit, in this order; each that raises undoes only itself."""
        return await _ask(self._writes, works)

    async def read(self, work: Work[T]) -> T:
        """Do work that only reads; it sees everything committed before."""
        return _result(*(await _ask(self._reads, [work]))[0])

    def submit(self, work: Work[T], *, urgent: bool = True) -> Future[T]:
        """`run` for callers outside of an event loop; what is not urgent saves a flush."""
        future: Future[T] = Future()
        self._writes.put(_Request([work], future, urgent))
        return future

    def close(self) -> None:
        """Finish pending work, then close. Safe to call twice."""
        if not self._threads[0].is_alive():
            return
        for thread, pending in reversed([*zip(self._threads, self._queues, strict=True)]):
            # The writing thread ends last: the reading one passes it work that meets damage.
            pending.put(None)
            thread.join()

    def _open(self) -> sqlite3.Connection:
        connection, notice = open_database(self._path, self._connect)
        if notice is not None:
            self.notices.append(notice)
        return connection

    def _write(self) -> None:
        closing = False
        while not closing:
            batch, closing = self._gather()
            self._commit(batch)
        self._connection.close()

    def _gather(self) -> tuple[list[_Request], bool]:
        """Wait for what is to be committed next, and whether nothing comes after it."""
        batch: list[_Request] = []
        urgent = False
        while len(batch) < _MOST_TOGETHER and not (urgent and self._writes.empty()):
            try:
                request = self._writes.get(timeout=_LATER if batch and not urgent else None)
            except Empty:
                break
            if request is None:
                return batch, True
            batch.append(request)
            urgent = urgent or request.urgent
        return batch, False

    def _commit(self, batch: Sequence[_Request]) -> None:
        """Commit a batch. On damage, the file is repaired and the batch done again."""
        works = [work for request in batch for work in request.works]
        try:
            answers = _commit_together(self._connection, works)
        except sqlite3.Error as error:
            if is_damage(error) and self._repair():
                try:
                    answers = _commit_together(self._connection, works)
                except sqlite3.Error as again:
                    answers = [(None, _refused(again))] * len(works)
            else:
                answers = [(None, _refused(error))] * len(works)
        rest = iter(answers)
        _answer([(each, [next(rest) for _ in each.works]) for each in batch])

    def _repair(self) -> bool:
        """Reopen the file, which replaces it if it is damaged; False where that failed."""
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None
            with suppress(sqlite3.Error):
                self._connection.close()
            before = len(self.notices)
            try:
                self._connection = self._open()
            except StoreError:
                # Later work finds a closed connection, and is refused.
                return False
        if self._on_notice is not None:
            for notice in self.notices[before:]:
                self._on_notice(notice)
        return True

    def _read(self) -> None:
        while (request := self._reads.get()) is not None:
            _answer([(request, [self._read_one(work) for work in request.works])])
        with self._reading:
            if self._reader is not None:
                self._reader.close()

    def _read_one(self, work: Work[Any]) -> Answer:
        try:
            return self._attempt(work), None
        except sqlite3.Error as error:
            if not is_damage(error):
                return None, _unreadable(error)
        except Exception as error:  # noqa: BLE001 - raised again at the caller
            return None, error
        # The writing thread meets the damage, too, and repairs the file.
        try:
            return self.submit(work).result(), None
        except Exception as error:  # noqa: BLE001 - as above
            return None, error

    def _attempt(self, work: Work[Any]) -> Any:
        with self._reading:
            if self._reader is None:
                self._reader = open_to_read(self._path)
            return _do(self._reader, work)


def _commit_together(connection: sqlite3.Connection, works: Sequence[Work[Any]]) -> list[Answer]:
    """One transaction for all; work that raises undoes only itself.

    At first all is done without savepoints, which cost two statements each; where some work raises,
    all is undone and done again with them.

    Raises:
        sqlite3.Error: nothing was committed, or the file is damaged; the transaction is over.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        answers = _do_all(connection, works)
        if answers is None:
            if connection.in_transaction:  # SQLite itself ends it after some errors
                connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            answers = [_do_apart(connection, work) for work in works]
        connection.execute("COMMIT")
    except sqlite3.Error:
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise
    return answers


def _do_all(connection: sqlite3.Connection, works: Sequence[Work[Any]]) -> list[Answer] | None:
    """Do all work; None where some of it raised."""
    try:
        return [(work(connection), None) for work in works]
    except Exception as error:
        if is_damage(error):
            raise
        return None


def _do_apart(connection: sqlite3.Connection, work: Work[Any]) -> Answer:
    """Do work that undoes only itself where it raises."""
    connection.execute("SAVEPOINT one")
    answer: Answer
    try:
        answer = (_do(connection, work), None)
    except Exception as error:
        if is_damage(error):
            raise
        connection.execute("ROLLBACK TO one")
        answer = (None, _refused(error) if isinstance(error, sqlite3.Error) else error)
    connection.execute("RELEASE one")
    return answer


def _do(connection: sqlite3.Connection, work: Work[T]) -> T:
    """Do work; texts with damaged characters are read with those replaced."""
    try:
        return work(connection)
    except sqlite3.OperationalError as error:
        if "decode to UTF-8" not in str(error):
            raise
    if connection.in_transaction:
        connection.execute("ROLLBACK TO one")
    connection.text_factory = replacing_text
    try:
        return work(connection)
    finally:
        connection.text_factory = str


def _refused(error: sqlite3.Error) -> StoreError:
    return StoreError(f"the database cannot be written: {advice(error)}")


def _unreadable(error: sqlite3.Error) -> StoreError:
    return StoreError(f"the database cannot be read: {advice(error)}")


async def _ask(requests: SimpleQueue[_Request | None], works: Sequence[Work[Any]]) -> list[Answer]:
    future: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
    requests.put(_Request(works, future))
    return await future


def _answer(done: Sequence[tuple[_Request, list[Answer]]]) -> None:
    """Pass answers to the callers: one wake-up for each event loop, in the order of requests."""
    by_loop: dict[
        asyncio.AbstractEventLoop, list[tuple[asyncio.Future[list[Answer]], list[Answer]]]
    ] = {}
    for request, answers in done:
        future = request.future
        if isinstance(future, asyncio.Future):
            by_loop.setdefault(future.get_loop(), []).append((future, answers))
        elif future.set_running_or_notify_cancel():
            [(value, error)] = answers
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
    for loop, pairs in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed: no caller is left
            loop.call_soon_threadsafe(_settle, pairs)


def _settle(pairs: Sequence[tuple[asyncio.Future[list[Answer]], list[Answer]]]) -> None:
    for future, answers in pairs:
        if not future.done():
            future.set_result(answers)


def _result(value: T, error: Exception | None) -> T:
    if error is not None:
        raise error
    return value
