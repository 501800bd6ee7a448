"""Refuses installs that packs start: nothing is installed without a command that showed what.

Many packs run `pip install` when an import fails, which changes the environment of all others. The
refusal is an `OSError`, as of a program that may not be started; each requirement is remembered
with the pack, so that its report can show the command instead. No sandbox: a pack that wants to
can get around it.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from engine.compat.attribution import plugin_on_stack

_INSTALLERS = ("pip", "pip3", "uv", "conda", "mamba", "poetry", "easy_install")
_VERBS = frozenset({"install", "sync", "add"})
_OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_INPUT": "1", "UV_OFFLINE": "1"}
"""For programs of packs that start an installer in turn."""
_IN_PROCESS = os.path.join("pip", "_internal", "commands", "install.py")  # noqa: PTH118
_VALUED = frozenset({"-r", "-c", "-i", "-f", "-t", "--requirement", "--constraint", "--index-url"})
_VALUED |= {"--extra-index-url", "--find-links", "--target", "--prefix", "--python", "--root"}

_refused: dict[str, list[str]] = {}
"""By pack, what it wanted to install."""
_is_installed: list[bool] = []


class InstallRefusedError(PermissionError):
    """A pack wanted to install something."""


def refuse_installs() -> None:
    """Refuse them from now on in this process; again does nothing."""
    if _is_installed:
        return
    _is_installed.append(True)
    os.environ.update(_OFFLINE)
    sys.addaudithook(_audit)


def refused_installs(pack: str) -> list[str]:
    """What this pack wanted to install so far: requirements, each once."""
    return list(dict.fromkeys(_refused.get(pack, ())))


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "exec":
        if getattr(arguments[0], "co_filename", "").endswith(_IN_PROCESS):
            _refuse(_after_verb(_arguments_of_pip()))
    elif event == "subprocess.Popen":
        _check(arguments[1])
    elif event in {"os.system", "os.exec", "os.posix_spawn"}:
        _check(arguments[0] if event == "os.system" else arguments[1])


def _check(command: Any) -> None:
    wanted = wanted_by(command)
    if wanted is not None:
        _refuse(wanted)


def wanted_by(command: Any) -> list[str] | None:
    """The requirements that a command would install; None if it installs nothing."""
    words = _words(command)
    if len(words) == 1 or any(word in {"-c", "/c"} for word in words[:3]):
        words = [part for word in words for part in _split(word)]  # a line for a shell
    for index, word in enumerate(words):
        name = os.path.basename(word.replace("\\", "/")).lower().removesuffix(".exe")  # noqa: PTH119
        if name in _INSTALLERS or name.startswith("pip3."):
            return _after_verb(words[index + 1 :])
    return None


def _after_verb(words: Sequence[str]) -> list[str] | None:
    """The requirements behind `install`; options and their values are left out."""
    verbs = [index for index, word in enumerate(words) if word in _VERBS]
    if not verbs:
        return None
    found: list[str] = []
    rest = iter(words[verbs[0] + 1 :])
    for word in rest:
        if word in _VALUED:
            value = next(rest, "")
            if word in {"-r", "--requirement"}:
                found.append(f"-r {value}")
        elif not word.startswith("-"):
            found.append(word)
    return found


def _refuse(wanted: list[str] | None) -> None:
    pack = plugin_on_stack()
    _refused.setdefault(pack or "", []).extend(wanted or ())
    what = " ".join(wanted or ()) or "a package"
    message = f"{pack or 'a plugin'} wanted to install {what}; Calotype lets no plugin install"
    sys.stderr.write(f"Calotype: {message}\n")
    raise InstallRefusedError(message)


def _arguments_of_pip() -> list[str]:
    """What `pip.main` was called with, where it runs in this process."""
    frame = sys._getframe(1)  # noqa: SLF001 - the only way to it
    while frame is not None:
        arguments = frame.f_locals.get("args")
        if frame.f_globals.get("__name__", "").startswith("pip.") and isinstance(arguments, list):
            return [str(each) for each in arguments]
        frame = frame.f_back
    return []


def _words(command: Any) -> list[str]:
    if isinstance(command, str | bytes | os.PathLike):
        return _split(os.fsdecode(command))
    try:
        return [os.fsdecode(each) for each in command]
    except TypeError:
        return []


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text, posix=os.name == "posix")
    except ValueError:
        return text.split()
