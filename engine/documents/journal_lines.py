"""The lines of a journal: their numbers and their tabs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from engine.errors import CalotypeError

MOST_WINDOW = 100
"""Characters of the name of a window."""
LAST_NUMBER = 2**53 - 1
"""Larger numbers are not exact in a browser."""
Reason = Literal["invalid", "conflict", "too_long"]


class JournalRefusedError(CalotypeError):
    """Lines that do not follow the last one, or come from a window that lost the document.

    Attributes:
        reason: `invalid` for what is no journal, `conflict` for lines that do not follow or are
            another window's, `too_long` for a journal that must be sent again as a whole.
        last: the number of the last line on disk.
        window: the window that owns the document; None for no owner.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: Reason = "conflict",
        last: int = 0,
        window: str | None = None,
    ) -> None:
        self.reason: Reason = reason
        self.last = last
        self.window = window
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Tab:
    """The state of the whole document in a line.

    Attributes:
        content: all of it, as JSON, for the editor.
        window: whose document it is; None where that is not said.
        closed: when it was closed, in milliseconds; 0 while it is open.
        is_sound: whether `window` and `closed` were what they should be, if they were there.
    """

    content: bytes
    window: str | None
    closed: float
    is_sound: bool


@dataclass(slots=True)
class State:
    """The state of a journal file.

    Attributes:
        last: the number of the last line; 0 for none.
        tab: that of the last line with one.
        size: bytes of whole, readable lines.
        stray: bytes after them: an unfinished line, or damage.
        is_damaged: whether the stray bytes are more than one unfinished line.
    """

    last: int = 0
    tab: Tab | None = None
    size: int = 0
    stray: int = 0
    is_damaged: bool = False

    @property
    def window(self) -> str | None:
        """Whose document it is."""
        return self.tab.window if self.tab else None

    @property
    def closed(self) -> float:
        """When it was closed, in milliseconds; 0 while it is open."""
        return self.tab.closed if self.tab else 0.0


class _Line(msgspec.Struct):
    n: Annotated[int, msgspec.Meta(ge=1, le=LAST_NUMBER)]
    tab: msgspec.Raw = msgspec.Raw(b"null")


_DECODER = msgspec.json.Decoder(_Line)
_TAB = msgspec.json.Decoder(dict[str, msgspec.Raw])


def lines_of(content: bytes) -> Iterator[tuple[bytes, bool]]:
    """Lines, and whether each was ended: the last of a file that was being written is not."""
    start = 0
    while start < len(content):
        end = content.find(b"\n", start)
        if end < 0:
            yield content[start:], False
            return
        yield content[start:end], True
        start = end + 1


def scan(content: bytes) -> State:
    """The state after these lines, up to the first that is incomplete, invalid or out of order."""
    state = State()
    for line, ended in lines_of(content):
        number, tab = (_decoded(line) if ended else None) or (0, None)
        if state.stray or number == 0 or (state.last and number != state.last + 1):
            state.is_damaged = state.is_damaged or ended
            state.stray += len(line) + ended
            continue
        state.last, state.tab = number, tab or state.tab
        state.size += len(line) + 1
    return state


def read_request(body: bytes) -> Sequence[tuple[int, bytes]]:
    """The lines of a request with their numbers: all whole, numbered one after the other.

    Raises:
        JournalRefusedError: `invalid`, they are not, or a tab says what cannot be.
    """
    found: list[tuple[int, bytes]] = []
    for line, ended in lines_of(body):
        decoded = _decoded(line) if ended else None
        if decoded is None or (found and decoded[0] != found[-1][0] + 1):
            raise JournalRefusedError("a journal is numbered JSON lines", reason="invalid")
        number, tab = decoded
        if tab is not None and not tab.is_sound:
            raise JournalRefusedError(
                f"line {number}: a tab's window should be a text of at most {MOST_WINDOW} "
                "characters, and closed a number or null",
                reason="invalid",
            )
        found.append((number, line))
    if not found:
        raise JournalRefusedError("there are no lines", reason="invalid")
    return found


def _decoded(line: bytes) -> tuple[int, Tab | None] | None:
    """The number and the tab of a line; None where it is no line."""
    try:
        found = _DECODER.decode(line)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decoded_leniently(line)
    return found.n, _tab_of(bytes(found.tab))


def _decoded_leniently(line: bytes) -> tuple[int, Tab | None] | None:
    """The same for a line with half a character, which a browser writes and only Python reads."""
    try:
        read: Any = json.loads(line)
        number, tab = read["n"], json.dumps(read.get("tab")).encode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    whole = type(number) is int and 1 <= number <= LAST_NUMBER
    return (number, _tab_of(tab)) if whole else None


def _tab_of(content: bytes) -> Tab | None:
    if content == b"null":
        return None
    fields = _fields(content)
    if fields is None:
        return Tab(b"null", None, 0.0, is_sound=False)
    window, is_text = _value(fields.get("window"), str | None)
    closed, is_number = _value(fields.get("closed"), float | None)
    fits = window is None or len(window) <= MOST_WINDOW
    return Tab(
        content, window if fits else None, closed or 0.0, is_sound=is_text and is_number and fits
    )


def _fields(content: bytes) -> dict[str, msgspec.Raw] | None:
    """The fields of an object; None where it is none."""
    try:
        content.decode()
        return _TAB.decode(content)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        read: Any = json.loads(content)
        return {key: msgspec.Raw(json.dumps(value).encode()) for key, value in read.items()}
    except (ValueError, AttributeError, RecursionError):
        return None


def _value(raw: msgspec.Raw | None, kind: Any) -> tuple[Any, bool]:
    """A field of that type, or None where it is none; and whether it is absent or of that type."""
    if raw is None:
        return None, True
    try:
        return msgspec.json.decode(raw, type=kind), True
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, False
