"""Environments for packs that are tried: for each pack one with its own requirements."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from engine.packs.environments import environment_of
from engine.packs.found import pack_at
from engine.settings import Settings


def python_for(pack: Path, folder: Path) -> Path:
    """The interpreter of an environment below `folder` with what this pack requires.

    It is made if it does not exist: above the environment that this runs in, whose torch stays.

    Raises:
        EnvironmentFailedError: what the pack requires cannot be installed.
        ValueError: there is no pack at that path.
    """
    found = pack_at(pack)
    if found is None:
        raise ValueError(f"{pack} is no pack")
    environment = environment_of(Settings(user_directory=folder), found)
    environment.make(print)
    return environment.python


def follow_advice(pack: Path, command: str) -> bool:
    """Add what a pack's report says to install to the pack's requirements; False if they have it.

    So `python_for` makes an environment with it, as a user would who follows the report.
    """
    words = shlex.split(command)
    if "install" not in words:
        return False
    file = pack / "requirements.txt"
    found = pack_at(pack)
    lines = list(found.requirements()) if found else []
    added = [each for each in words[words.index("install") + 1 :] if each not in lines]
    file.write_text("\n".join([*lines, *added, ""]), encoding="utf-8")
    return bool(added)


def copied(pack: Path, folder: Path) -> Path:
    """A copy of the pack below `folder`, whose requirements may be added to."""
    made = folder / "packs_tried" / pack.name
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(pack, made, ignore=shutil.ignore_patterns("__pycache__", ".git"))
    return made
