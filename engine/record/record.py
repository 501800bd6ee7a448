"""The record of a run: all that its results depend on besides the prompt.

Saved in files under the keyword `calotype`, beside `prompt` and `workflow`, and by `lock` beside a
workflow. Every field may be missing when a record is read: it may be older or newer than we are.
"""

from __future__ import annotations

from typing import Any

import msgspec

from engine.errors import CalotypeError

KEYWORD = "calotype"
"""Under which keyword a file holds its record."""
FORMAT = 1
NUMERICS = 1
"""Our version of the numerics. It grows when a change gives the same prompt another result on the
same device, dtype and torch version, beyond rounding: another schedule, other noise, a mended
formula. The changelog then says which results change."""
_MOST_FILES = 1000


class RecordError(CalotypeError):
    """What should be a record is none; the message says what was found."""


class Computing(msgspec.Struct, frozen=True, omit_defaults=True):
    """What computed.

    Attributes:
        dtype: what the networks computed in: `fp32`, `bf16` or `fp16`.
        device: `cpu` or `cuda`.
        name: of the device, where it has one.
        torch: the version of torch.
    """

    dtype: str = ""
    device: str = ""
    name: str = ""
    torch: str = ""


class FileRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One file that the prompt names.

    Attributes:
        kind: its folder: `checkpoints`, `loras`, `input` ...
        name: below that folder, as the prompt spells it.
        size: in bytes; -1 where it did not exist.
        sample: SHA-256 of its size, beginning, middle and end (`hashes.sample_of`).
        sha256: of all of it, where that was known when the record was made.
    """

    kind: str
    name: str
    size: int = -1
    sample: str = ""
    sha256: str = ""


class PackRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One pack whose nodes the prompt has; `commit` is that of its git repository, if it is one."""

    name: str
    version: str = ""
    commit: str = ""


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that a result depends on besides its prompt.

    Attributes:
        record: the format of the record.
        version: of Calotype.
        numerics: of our numerics, see `NUMERICS`.
        python: its version.
        computing: what computed.
        files: those that the prompt names, in its order, each once.
        packs: those whose nodes it has, by name.
    """

    record: int = 0
    version: str = ""
    numerics: int = 0
    python: str = ""
    computing: Computing = Computing()
    files: tuple[FileRecord, ...] = ()
    packs: tuple[PackRecord, ...] = ()


def to_json(record: Record) -> dict[str, Any]:
    """The record as it is saved."""
    return msgspec.json.decode(msgspec.json.encode(record))


def read_record(raw: object) -> Record:
    """A record from decoded JSON; fields that we do not know are left out.

    Raises:
        RecordError: it is no record.
    """
    try:
        found = msgspec.convert(raw, Record)
    except (msgspec.ValidationError, RecursionError) as error:
        raise RecordError(f"this is no record of a run: {error}") from error
    if found.record < 1:
        raise RecordError('this is no record of a run: it has no "record", which is its format')
    if len(found.files) > _MOST_FILES or len(found.packs) > _MOST_FILES:
        raise RecordError(f"this is no record of a run: it names over {_MOST_FILES} files or packs")
    return found
