"""Why a pack could not be imported: a sentence, the traceback, the line that would mend it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from types import TracebackType

import msgspec

from engine.compat.no_installs import InstallRefusedError
from engine.packs.distributions import install_advice, is_host_module
from engine.packs.found import Pack
from engine.wire.pack_messages import FAILED, PackReport

_MOST_TEXT = 500
_NULLS = "source code string cannot contain null bytes"
"""What Python before 3.11.4 says with a ValueError, later with a SyntaxError."""


def failure_report(pack: Pack, error: BaseException) -> PackReport:
    """The report of a pack whose import raised."""
    missing = _missing_module(error)
    lines = traceback.format_exception(type(error), error, _from_pack(error, pack))
    command, advice = install_advice(pack, missing) if missing else ("", "")
    return PackReport(
        pack.name,
        pack.version,
        state=FAILED,
        error="; ".join(filter(None, (_sentence(error, missing), advice))),
        traceback=tuple(lines),
        install=command,
    )


def refusal_report(pack: Pack, sentence: str) -> PackReport:
    """The report of a pack that was not even tried."""
    return PackReport(pack.name, pack.version, state=FAILED, error=sentence)


def log_lines(report: PackReport) -> str:
    """What the log says of a pack that is not loaded."""
    text = f"Calotype: the pack {report.name} is not loaded: {report.error}\n"
    if report.install:
        text += f"Calotype: to install what it needs: {report.install}\n"
    return "".join(report.traceback) + text


def with_seconds(report: PackReport, seconds: float) -> PackReport:
    """The same report with the time that was spent."""
    return msgspec.structs.replace(report, seconds=round(seconds, 3))


def _sentence(error: BaseException, missing: str | None) -> str:
    if isinstance(error, InstallRefusedError):
        return str(error)
    if missing is not None and is_host_module(missing):
        return f"it imports {missing}, which Calotype does not have"
    if missing is not None and "." in missing and missing.split(".")[0] in sys.modules:
        return f"it imports {missing}, which {missing.split('.')[0]} does not have"
    if missing is not None:
        return f"the Python module {missing} is not installed"
    if isinstance(error, SyntaxError):
        where = f"{error.filename or '?'}, line {error.lineno or '?'}"
        return f"it is not valid Python: {error.msg} ({where})"
    if isinstance(error, ValueError) and str(error) == _NULLS:
        return f"it is not valid Python: {_NULLS}"
    if isinstance(error, SystemExit):
        return f"its code ended the program while it was imported (exit code {error.code!r})"
    text = " ".join(_text(error).split())
    shown = text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "..."
    return f"{type(error).__name__}: {shown}" if shown else f"it raised {type(error).__name__}"


def _missing_module(error: BaseException) -> str | None:
    """The module whose absence is the reason, of this error or of one that it came from.

    Where a pack tries another way in (`except ImportError: from py.nodes ...`), a top-level module
    that is there explains less than the first failure.
    """
    names = [each.name for each in _chain(error) if isinstance(each, ModuleNotFoundError)]
    found = [name for name in names if name]
    absent = [name for name in found if name.split(".")[0] not in sys.modules]
    name = next(iter((*absent, *found)), None)
    return None if name is None or name.startswith(("/", "\\")) else name


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _from_pack(error: BaseException, pack: Pack) -> TracebackType | None:
    """The traceback from the pack's own first line on."""
    root, trace = str(pack.path), error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(root):
        trace = trace.tb_next
    return trace


def _text(error: BaseException) -> str:
    """The error's text; a plugin's own class may fail to give one."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - see above
        return ""
