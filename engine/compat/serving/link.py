"""What plugins say to the server process and ask it: events, and questions with an answer."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from engine.compat.serving.events import encode_json
from engine.wire.message import Message
from engine.wire.pack_messages import AskServer, ServerAnswer

_LOOK_SECONDS = 0.01
ANSWER_SECONDS = 30.0


class ServerLink:
    """The way to the server of one process; without one, nothing is sent and nothing answered."""

    def __init__(
        self,
        send: Callable[[Message], None] | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """Make a link.

        Args:
            send: sends a message to the server, from any thread; None where there is no server.
            look: reads what has arrived, in any thread, unless another thread is reading.
        """
        self._send = send
        self._look = look
        self._numbers = itertools.count(1)
        self._waiting: dict[int, tuple[threading.Event, list[ServerAnswer]]] = {}
        self._passed_on: dict[int, Callable[[ServerAnswer], None]] = {}

    @property
    def has_server(self) -> bool:
        """Whether somebody answers."""
        return self._send is not None

    def send(self, message: Message) -> None:
        """Send a message, where there is a server."""
        if self._send is not None:
            self._send(message)

    def ask(self, what: str, value: object = None, *, seconds: float = ANSWER_SECONDS) -> Any:
        """Ask the server, and wait; None where there is no server.

        Args:
            what: see `engine.server.pack_requests`.
            value: what is sent with it, as JSON.
            seconds: how long to wait.

        Raises:
            RuntimeError: the server refused, with its sentence.
            TimeoutError: it did not answer in time.
        """
        if self._send is None:
            return None
        number = next(self._numbers)
        event, answers = threading.Event(), list[ServerAnswer]()
        self._waiting[number] = (event, answers)
        try:
            self._send(AskServer(number, what, encode_json(value)))
            deadline = time.monotonic() + seconds
            while not event.wait(_LOOK_SECONDS):
                self._look()
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the server did not answer {what!r} in {seconds:.0f} s")
        finally:
            del self._waiting[number]
        if answers[0].error:
            raise RuntimeError(answers[0].error)
        return msgspec.json.decode(answers[0].body)

    def pass_on(self, asked: AskServer, answer: Callable[[ServerAnswer], None]) -> None:
        """Ask for another process; `answer` gets what the server says, with the number asked."""
        if self._send is None:
            answer(ServerAnswer(asked.number))
            return
        number = next(self._numbers)
        self._passed_on[number] = lambda found: answer(
            ServerAnswer(asked.number, found.body, found.error)
        )
        self._send(AskServer(number, asked.what, asked.body))

    def answered(self, message: ServerAnswer) -> None:
        """An answer has arrived; called by whatever thread read it."""
        passed_on = self._passed_on.pop(message.number, None)
        if passed_on is not None:
            passed_on(message)
            return
        found = self._waiting.get(message.number)
        if found is not None:
            found[1].append(message)
            found[0].set()
