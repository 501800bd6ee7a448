"""Objects that stay in the process that made them, and what stands for them in the other one."""

from __future__ import annotations

import itertools
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from engine.errors import NodeError


class ElsewhereError(NodeError, AttributeError):
    """An object is in another process. To `hasattr` it has no attributes, as for any question."""


class StandIn:
    """Stands for an object of another process: it can be passed on, and nothing else.

    Whatever else is done with it raises an error that says where the object is.
    """

    __slots__ = ("__weakref__", "_home", "_kind", "_number")
    nbytes = 0
    """What it holds, for who counts the memory of results."""

    def __init__(self, home: Handles, number: int, kind: str) -> None:
        self._home, self._number, self._kind = home, number, kind

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        self._refuse()

    def __call__(self, *_: object, **__: object) -> NoReturn:  # noqa: D102 - Python's own
        self._refuse()

    def __getitem__(self, _: object) -> NoReturn:
        self._refuse()

    def __iter__(self) -> NoReturn:
        self._refuse()

    def __copy__(self) -> StandIn:
        return self

    def __deepcopy__(self, _: object) -> StandIn:
        return self

    def __repr__(self) -> str:
        return f"<{self._kind} of another process>"

    def _refuse(self) -> NoReturn:
        raise ElsewhereError(self._home.sentence(self._kind))


class Handles:
    """The objects of this process that another one holds, and its objects that are held here."""

    def __init__(self, sentence: Callable[[str], str]) -> None:
        """Make a table.

        Args:
            sentence: by the class of one of the other's objects, why it cannot be used here.
        """
        self.is_closed = False
        self._sentence = sentence
        self._numbers = itertools.count(1)
        self._lent: dict[int, Any] = {}
        self._unused: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._lent)

    def sentence(self, kind: str) -> str:
        """Why an object of the other process cannot be used here."""
        if self.is_closed:
            return f"this {kind} was lost with the process that had made it; run the workflow again"
        return self._sentence(kind)

    def lend(self, found: Any) -> int:
        """A number for an object of this process, which is held until it is taken back."""
        number = next(self._numbers)
        self._lent[number] = found
        return number

    def lent(self, number: int) -> Any:
        """The object of that number.

        Raises:
            NodeError: there is none: it was taken back, or the other side made the number up.
        """
        if number not in self._lent:
            raise NodeError("an object that another process refers to is not held any more")
        return self._lent[number]

    def take_back(self, numbers: Sequence[int]) -> None:
        """The other process needs these no longer."""
        for number in numbers:
            self._lent.pop(number, None)

    def stand_in(self, number: int, kind: str) -> StandIn:
        """What stands here for an object of the other process."""
        made = StandIn(self, number, kind)
        # Only noted: this may run inside of any call, also of one that holds a lock.
        weakref.finalize(made, self._unused.append, number).atexit = False
        return made

    def unused(self) -> tuple[int, ...]:
        """The numbers of the other's objects that nothing here refers to any more, each once."""
        found: list[int] = []
        while self._unused:
            found.append(self._unused.popleft())
        return tuple(found)

    def number_of(self, value: StandIn) -> int | None:
        """The other's number for a stand-in of this table; None for one of another table.

        Raises:
            NodeError: the process that had the object is gone.
        """
        if value._home.is_closed:  # noqa: SLF001 - its own
            value._refuse()  # noqa: SLF001
        return value._number if value._home is self else None  # noqa: SLF001

    def close(self) -> None:
        """The other process is gone."""
        self.is_closed = True
        self._lent.clear()


def holds_lost(value: Any, depth: int = 6) -> bool:
    """Whether a value holds a stand-in for an object of a process that has ended."""
    if isinstance(value, StandIn):
        return value._home.is_closed  # noqa: SLF001 - its own
    if depth and isinstance(value, dict):
        return any(holds_lost(each, depth - 1) for each in value.values())
    if depth and isinstance(value, list | tuple):
        return any(holds_lost(each, depth - 1) for each in value)
    return False
