"""What differs between a record and this installation."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from engine.record.make import Recorder, program_version
from engine.record.named import NamedFile, locate
from engine.record.record import NUMERICS, Computing, FileRecord, PackRecord, Record

Concern = Literal["version", "numerics", "computing", "file", "pack"]


class Difference(msgspec.Struct, frozen=True):
    """One difference.

    Attributes:
        concern: what it is about.
        name: of the file or pack, or of the value that differs.
        text: a sentence: what was, what is, what can be done.
        decides: whether the result can be expected to differ; a newer Python only might.
    """

    concern: Concern
    name: str
    text: str
    decides: bool = True


def differences(
    then: Record,
    recorder: Recorder,
    computing: Computing | None,
    hash_of: Callable[[Path], str] | None = None,
) -> tuple[Difference, ...]:
    """What differs now from when the record was made.

    Args:
        then: the record.
        recorder: of this installation.
        computing: what computes here; None where that is not known yet.
        hash_of: gives the hash of a file; without it, only known hashes are compared, and files
            whose hash is not known by their samples.
    """
    found = [*_program(then), *_computing(then.computing, computing)]
    for each in then.files:
        found += _file(each, recorder, hash_of)
    for pack in then.packs:
        found += _pack(pack, recorder)
    return tuple(found)


def _program(then: Record) -> Iterator[Difference]:
    if then.numerics != NUMERICS:
        yield Difference(
            "numerics",
            "numerics",
            f"It was computed with version {then.numerics} of our numerics; this is version "
            f"{NUMERICS}. The changelog says which results differ.",
        )
    version = program_version()
    if then.version != version:
        text = f"It was made with Calotype {then.version or '(unknown)'}; this is {version}."
        yield Difference("version", "Calotype", text, decides=False)
    python = platform.python_version()
    if then.python and then.python != python:
        text = f"It was made with Python {then.python}; this is {python}."
        yield Difference("version", "Python", text, decides=False)


def _computing(then: Computing, now: Computing | None) -> Iterator[Difference]:
    if now is None:
        return
    if then.dtype and then.dtype != now.dtype:
        text = f"It was computed in {then.dtype}; here it would be {now.dtype or 'unknown'}."
        if now.dtype:
            text += f" Start with --dtype {then.dtype} for the same."
        yield Difference("computing", "dtype", text)
    if then.device and then.device != now.device:
        text = f"It was computed on {then.device}; here it would be {now.device or 'unknown'}."
        yield Difference("computing", "device", text)
    elif then.name and then.name != now.name:
        text = f"It was computed on {then.name}; here it would be {now.name or 'unknown'}."
        yield Difference("computing", "device", text, decides=False)
    if then.torch and then.torch != now.torch:
        text = f"It was computed with torch {then.torch}; this is {now.torch or 'unknown'}."
        yield Difference("computing", "torch", text, decides=False)


def _file(
    then: FileRecord, recorder: Recorder, hash_of: Callable[[Path], str] | None
) -> Iterator[Difference]:
    if then.size < 0:
        return  # it was missing when the record was made, so nothing depends on it
    label = f"{then.kind}/{then.name}"
    now = recorder.file(NamedFile(then.kind, then.name), hash_of)
    if now.size < 0:
        text = f"{label} is missing."
        if other := _same_elsewhere(then, recorder):
            text += f" The same file is here as {then.kind}/{other}; choose that one."
        yield Difference("file", label, text)
        return
    if then.sha256 and now.sha256:
        differs = then.sha256 != now.sha256
    else:
        differs = (then.size, then.sample) != (now.size, now.sample)
    if differs:
        sizes = f" ({then.size:,} bytes then, {now.size:,} now)" if then.size != now.size else ""
        text = f"{label} is another file than it was, under the same name{sizes}."
        if other := _same_elsewhere(then, recorder):
            text += f" The file of then is here as {then.kind}/{other}."
        yield Difference("file", label, text)


def _same_elsewhere(then: FileRecord, recorder: Recorder) -> str:
    """The name of a file of that kind with the same content, as far as hashes are known."""
    names = recorder.files.list(then.kind)
    located = ((name, locate(NamedFile(then.kind, name), recorder.files)) for name in names)
    paths = {path: name for name, path in located if path is not None}
    if then.sha256 and (path := recorder.hashes.same(then.sha256, paths)):
        return paths[path]
    for path, name in paths.items():
        now = recorder.file(NamedFile(then.kind, name)) if _has_size(path, then.size) else None
        if now is not None and now.sample == then.sample != "":
            return name
    return ""


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _pack(then: PackRecord, recorder: Recorder) -> Iterator[Difference]:
    if not recorder.has_pack(then.name):
        text = f"The pack {then.name} is missing; install it for its nodes to run."
        yield Difference("pack", then.name, text)
        return
    now = recorder.pack(then.name)
    if then.version != now.version:
        text = (
            f"The pack {then.name} had version {then.version or '(none)'}; "
            f"here it has {now.version or '(none)'}."
        )
        yield Difference("pack", then.name, text)
    elif then.commit and now.commit and then.commit != now.commit:
        text = (
            f"The pack {then.name} was at commit {then.commit[:12]}; "
            f"here it is at {now.commit[:12]}."
        )
        yield Difference("pack", then.name, text)
