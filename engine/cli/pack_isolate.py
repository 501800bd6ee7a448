"""`packs isolate`, `packs share`: a process and an environment of its own for a pack, and back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from engine.cli.report import DONE, FAILED
from engine.errors import CalotypeError
from engine.machine import parse_memory
from engine.packs.environments import Environment, environment_of
from engine.packs.found import Pack
from engine.packs.preferences import read_preferences, write_preferences
from engine.settings import Settings

TellServer = Callable[[Pack, Mapping[str, Any]], bool]
"""Sends a change to a running server; False where none runs."""


def isolate_pack(
    settings: Settings,
    pack: Pack,
    tell: TellServer,
    *,
    yes: bool,
    has_network: bool,
    memory: str | None,
) -> int:
    """Show what would be installed, ask, make the environment; returns the exit code.

    Raises:
        CalotypeError: the environment cannot be made, or nobody can be asked.
    """
    limit = None if memory is None else parse_memory(memory)
    environment = environment_of(settings, pack)
    sys.stdout.write("".join(f"{line}\n" for line in described(environment)))
    if not environment.is_made and not yes:
        if not sys.stdin.isatty():
            raise CalotypeError("there is no terminal to ask at; add --yes to isolate it")
        if input("Isolate it? [y/n] ").strip().lower() not in {"y", "yes"}:
            sys.stdout.write("Nothing was changed\n")
            return FAILED
    environment.make(_say)
    change: dict[str, Any] = {"isolated": True, "network": has_network}
    if limit is not None:
        change["memory"] = limit
    if tell(pack, change):
        sys.stdout.write(f"{pack.name} is isolated; packs load anew\n")
        return DONE
    stored = read_preferences(settings)
    changed = stored.isolating(pack.name, is_on=True, has_network=has_network, memory=limit)
    write_preferences(settings, changed)
    sys.stdout.write(f"{pack.name} is isolated from the next start\n")
    return DONE


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


def share_pack(settings: Settings, pack: Pack, tell: TellServer) -> int:
    """Have a pack run in the worker again; its environment stays. Returns the exit code.

    Raises:
        CalotypeError: the preferences cannot be stored, or a server refused.
    """
    told = tell(pack, {"isolated": False})
    if not told:
        stored = read_preferences(settings)
        write_preferences(settings, stored.isolating(pack.name, is_on=False))
    when = "packs load anew" if told else "from the next start"
    sys.stdout.write(f"{pack.name} shares the worker and its environment again; {when}\n")
    return DONE


def described(environment: Environment) -> list[str]:
    """What isolating a pack installs, in sentences."""
    lines = [f"{environment.pack.name} gets an environment of its own: {environment.folder}"]
    if environment.is_made:
        lines.append("It exists, and nothing is installed.")
    elif environment.wanted:
        lines.append(f"Installed into it: {', '.join(environment.wanted)}")
    else:
        lines.append("Nothing is installed into it.")
    if environment.present:
        lines.append(f"Used from Calotype's environment: {', '.join(environment.present)}")
    lines += [f"Missing: {line}: {why}" for line, why in environment.missing.items()]
    if environment.left_out:
        lines.append(f"Never installed again: {', '.join(environment.left_out)}")
    return lines
