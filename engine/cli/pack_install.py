"""`packs install`: copies a pack into `custom_nodes/` after a question. Nothing is executed.

What its requirements would add to the environment is shown first; they are installed only with
`--requirements`, and never change what is installed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.cli.report import DONE, FAILED
from engine.packs.found import Pack, find_packs
from engine.packs.install import InstallError, free_place, place, staged
from engine.packs.repository import fetched, is_address
from engine.packs.requirements import Preview, install_distributions, preview
from engine.settings import Settings, add_flags, add_pack_flags

_MOST_LISTED = 40


def add_install_action(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Give the command line `packs install`."""
    install = actions.add_parser(
        "install",
        help="copy a plugin into custom_nodes/, and install what it requires, after a question",
        description=(
            "Copy a plugin into custom_nodes/, after showing what that adds. Nothing of it is "
            "executed, and nothing that is installed changes."
        ),
        epilog="exit codes: 0 done, 1 nothing was copied, or a requirement clashes",
    )
    install.add_argument(
        "source",
        help="a folder, a .zip or .tar file, an address https://... of a git repository, or the "
        "name of a plugin that is there (for its requirements)",
    )
    install.add_argument("--yes", action="store_true", help="do not ask")
    install.add_argument(
        "--requirements",
        action="store_true",
        help="install what it requires, too, without changing what is installed",
    )
    install.add_argument(
        "--reference", default="", metavar="NAME", help="a branch or tag of the git repository"
    )
    add_flags(install)
    add_pack_flags(install)


def install_pack(flags: argparse.Namespace, settings: Settings) -> int:
    """Show what would be copied and installed, ask, do it; returns the exit code.

    Raises:
        CalotypeError: the source cannot be installed, or nobody can be asked.
    """
    source: str = flags.source
    is_there = not is_address(source) and not Path(source).exists()
    if is_there:
        pack = next((each for each in find_packs(settings) if each.name == source), None)
        if pack is None:
            raise InstallError(f"there is no {source}, and no plugin of this name")
        return _install_requirements(pack, flags)
    folder = settings.custom_nodes_directories[0]
    with (
        _local(source, flags.reference) as path,
        staged(path, folder) as (pack, files, size),
    ):
        target = free_place(pack, folder)
        _say(f"{target.name}: {files} files, {size / 1e6:.1f} MB, to {folder}")
        found = _previewed(pack)
        wanted = found.adds if flags.requirements else ()
        question = "Copy it? " if not wanted else "Copy it, and install these? "
        if not _is_agreed(question, yes=flags.yes):
            _say("Nothing was copied")
            return FAILED
        if wanted:
            install_distributions(wanted)
            _say(f"Installed {_count(wanted)}")
        target = place(pack, folder)
    _say(f"Copied to {target}")
    name = target.name.removesuffix(".py")
    if found.adds and not wanted:
        _say(f"To install what it requires: python main.py packs install {name} --requirements")
    return _end(found, name)


def _install_requirements(pack: Pack, flags: argparse.Namespace) -> int:
    """Show what a pack that is in `custom_nodes/` requires; with the flag, install it."""
    found = _previewed(pack)
    if not found.adds:
        return _end(found, pack.name)
    if not flags.requirements:
        _say(f"To install it: python main.py packs install {pack.name} --requirements")
        return _end(found, pack.name)
    if not _is_agreed("Install it? ", yes=flags.yes):
        _say("Nothing was installed")
        return FAILED
    install_distributions(found.adds)
    _say(f"Installed {_count(found.adds)}; `packs reload` loads {pack.name} anew")
    return _end(found, pack.name)


@contextmanager
def _local(source: str, reference: str) -> Generator[Path]:
    """The source as a path; a repository is fetched to one that is removed at the end."""
    if not is_address(source):
        yield Path(source)
        return
    with fetched(source, _say, reference=reference) as found:
        _say(f"The commit is {found.commit}")
        if found.pointers:
            listed = ", ".join(found.pointers[:3])
            _say(f"Files in LFS are not fetched, {len(found.pointers)} in all: {listed}")
        yield found.folder


def _previewed(pack: Pack) -> Preview:
    """Show what a pack's requirements would add; nothing is installed."""
    lines = pack.requirements()
    if not lines:
        _say("It requires nothing")
        return Preview()
    _say(f"It requires {', '.join(lines)}")
    found = preview(lines)
    if found.adds:
        listed = ", ".join(found.adds[:_MOST_LISTED])
        rest = len(found.adds) - _MOST_LISTED
        more = f" and {rest} others" if rest > 0 else ""
        _say(f"That adds {_count(found.adds)}: {listed}{more}")
    elif not found.clashes and not found.left:
        _say("All of it is installed")
    for sentence in (*found.clashes, *found.stays):
        _say(f"I{sentence[1:]}" if sentence.startswith("it ") else sentence)
    for line, why in found.left.items():
        _say(f"{line} is not installed: {why}")
    return found


def _is_agreed(question: str, *, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise InstallError("there is no terminal to ask at; add --yes to install it")
    return input(f"{question}[y/n] ").strip().lower() in {"y", "yes"}


def _end(found: Preview, name: str) -> int:
    if not found.clashes:
        return DONE
    _say(
        f"{name} wants other versions than those here. It can run in an environment of its own: "
        f"python main.py packs isolate {name}"
    )
    return FAILED


def _count(packages: Sequence[str]) -> str:
    return f"{len(packages)} package{'' if len(packages) == 1 else 's'}"


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()
