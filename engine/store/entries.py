"""One prompt as a row: writing it, reading it, and checking that it is unchanged.

A row is checked before it is run: a byte that changed on the disk must not give another picture.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import msgspec

from engine.errors import StoreError
from engine.store.notes import Note

Ending = Literal["done", "failed", "stopped"]
COLUMNS = (
    "seq, id, number, state, attempts, client, workflow, prompt, extra, wanted,"
    " created, began, ended"
)
TIME_KEY = "create_time"
"""The key of `extra` that the server adds; it is left out of the hash that compares requests."""

_DAMAGED = "this prompt was damaged in the database, on the disk; queue it again"


class UnreadableError(StoreError):
    """A stored prompt is not the one that was accepted."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One prompt as it was accepted.

    Attributes:
        number: its position; lower ones run first, equal ones in the order of arrival.
        wanted: ids of the output nodes to run.
        workflow: the id of the saved workflow it was made from, for lists of jobs.
        created, began, ended: seconds since 1970.
        note: for lists and search; only when writing.
        prompt_json: the stored text of `prompt`; only when reading.
        studied: what was found out about it when it was accepted; None after a restart.
    """

    id: str
    prompt: Mapping[str, Any]
    wanted: Sequence[str]
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    client: str | None = None
    workflow: str | None = None
    number: float = 0.0
    created: float = 0.0
    began: float | None = None
    ended: float | None = None
    state: str = "queued"
    attempts: int = 0
    note: Note | None = None
    prompt_json: str = ""
    studied: object = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class End:
    """How a prompt ended.

    Attributes:
        ending: the state it ends in.
        outcome: what history shows of it.
        at: when, in seconds since 1970.
        summary: what lists of jobs show of it.
    """

    id: str
    ending: Ending
    outcome: Mapping[str, Any]
    at: float
    summary: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Texts:
    """The JSON texts of an entry, and the hash by which two entries are compared."""

    prompt: str
    extra: str
    wanted: str
    digest: bytes


def texts_of(entry: Entry) -> Texts:
    """An entry as it is stored."""
    prompt, wanted, sent = dump(entry.prompt), dump(entry.wanted), _sent(entry.extra)
    extra = sent
    if TIME_KEY in entry.extra:
        comma = "," if len(entry.extra) > 1 else ""
        extra = f'{sent[:-1]}{comma}"{TIME_KEY}":{dump(entry.extra[TIME_KEY])}}}'
    return Texts(prompt, extra, wanted, _digest(prompt, sent, wanted))


def read_entry(row: Sequence[Any], *, digest: bytes | None = None) -> Entry:
    """An entry from a row of `COLUMNS`.

    Args:
        row: as it was read.
        digest: the stored hash; if given, the row is compared with it.

    Raises:
        UnreadableError: the row is not what was accepted.
    """
    _, prompt_id, number, state, attempts, client, workflow, prompt, extra, wanted, *times = row
    created, began, ended = times
    try:
        entry = Entry(
            id=prompt_id,
            prompt=json.loads(prompt),
            wanted=json.loads(wanted),
            extra=json.loads(extra),
            client=client,
            workflow=workflow,
            number=number,
            created=created,
            began=began,
            ended=ended,
            state=state,
            attempts=attempts,
            prompt_json=prompt,
        )
        whole = digest is None or _is_whole(entry, prompt, wanted, digest)
    except (ValueError, TypeError, RecursionError) as error:
        raise UnreadableError(f"{_DAMAGED}: it cannot be read ({error})") from error
    if not whole:
        raise UnreadableError(f"{_DAMAGED}: it is not what was accepted")
    return entry


def read_json(text: str | None) -> dict[str, Any]:
    """A stored JSON object; an empty one where it is damaged: one row must not break a list."""
    try:
        found: Any = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def dump(value: object) -> str:
    """A value as JSON; NaN becomes null, other values that JSON cannot express become text."""
    return msgspec.json.encode(value, enc_hook=str).decode()


def _is_whole(entry: Entry, prompt: str, wanted: str, digest: bytes) -> bool:
    shapes = ((entry.prompt, dict), (entry.extra, dict), (entry.wanted, list))
    if not all(isinstance(value, shape) for value, shape in shapes):
        return False
    return _digest(prompt, _sent(entry.extra), wanted) == digest


def _sent(extra: Mapping[str, Any]) -> str:
    """The text of `extra` as it was sent."""
    return dump({key: value for key, value in extra.items() if key != TIME_KEY})


def _digest(prompt: str, sent: str, wanted: str) -> bytes:
    return hashlib.sha256(f"{prompt}\0{sent}\0{wanted}".encode()).digest()
