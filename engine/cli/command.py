"""The command line: what can be typed, and what it means.

Parses and dispatches; heavy packages are imported only for the command that needs them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from engine.cli.comfy_flags import (
    add_comfy_flags,
    add_plugin_choice,
    choose_cuda_devices,
    chosen_plugins,
    notes,
    translate,
)
from engine.cli.fetch_flags import add_fetch_command, run_fetch
from engine.cli.packs import add_packs_command, run_packs
from engine.cli.serve_flags import add_serve_flags, serving_from
from engine.errors import CalotypeError
from engine.folders import prepare_folders
from engine.serving import Serving
from engine.settings import Settings, add_flags, add_pack_flags, settings_from

EXIT_CODES = (
    "exit codes: 0 done, 1 failed, 2 invalid workflow or command, "
    "3 the user directory is in use, 130 interrupted"
)
BAD_COMMAND = 2


class Serve(Protocol):
    """Runs the server, which this package does not import."""

    def __call__(self, settings: Settings, serving: Serving) -> int:
        """Serve until a signal; returns the exit code."""
        ...


def build_parser() -> argparse.ArgumentParser:
    """Every command and flag."""
    parser = argparse.ArgumentParser(
        prog="python main.py",
        description="Calotype: a node-graph studio for latent diffusion.",
        epilog=EXIT_CODES,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve_command(commands)
    run = commands.add_parser(
        "run",
        help="run a workflow and print the files it wrote",
        description="Run a saved workflow, a prompt in API form, or a picture that carries one.",
        epilog=EXIT_CODES,
    )
    run.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="also put the results there: a file name, or a folder",
    )
    run.add_argument("--overwrite", action="store_true", help="let --output replace a file")
    check = commands.add_parser(
        "check",
        help="say what is wrong with workflows, run nothing",
        description="Check workflows: classes, inputs, links, files.",
        epilog=EXIT_CODES,
    )
    _add_lock_command(commands)
    for command in (run, check):
        many = command is check
        command.add_argument(
            "workflow",
            type=Path,
            nargs="+" if many else None,
            help="a .json file or a picture" + ("; several may be given" if many else ""),
        )
        command.add_argument(
            "--set",
            dest="changes",
            action="append",
            default=[],
            metavar="NODE.INPUT=VALUE",
            help="change an input; NODE is an id, a title or a class; may be given several times",
        )
        command.add_argument("--json", dest="as_json", action="store_true", help="report as JSON")
        add_flags(command)
        add_pack_flags(command)
        add_plugin_choice(command)
    add_fetch_command(commands)
    add_packs_command(commands)
    return parser


def _add_serve_command(commands: Any) -> None:
    serve = commands.add_parser(
        "serve",
        help="open the studio in a browser (also without any command)",
        description="Start the server and open the editor in a browser.",
        epilog=EXIT_CODES,
    )
    add_serve_flags(serve)
    add_flags(serve)
    add_pack_flags(serve)
    add_comfy_flags(serve)


def _add_lock_command(commands: Any) -> None:
    lock = commands.add_parser(
        "lock",
        help="record what a workflow's results depend on, or say what differs",
        description="Write WORKFLOW.lock.json beside a workflow: versions, precision, and the "
        "hashes of its files. If it exists, or a picture carries its record, say what differs.",
        epilog="exit codes: 0 written or nothing differs, 1 something differs, 2 invalid workflow",
    )
    lock.add_argument("workflow", type=Path, help="a .json file or a picture")
    lock.add_argument("--update", action="store_true", help="write the record anew")
    lock.add_argument("--json", dest="as_json", action="store_true", help="report as JSON")
    add_flags(lock)
    add_pack_flags(lock)
    add_plugin_choice(lock)


def run_command(arguments: Sequence[str], serve: Serve) -> int:
    """Run the command; returns the exit code."""
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in {"-h", "--help"}):
        arguments = ["serve", *arguments]
    flags = build_parser().parse_args(arguments)
    if flags.command == "serve":
        return _serve(flags, serve)
    try:
        settings = settings_from({**vars(flags), **chosen_plugins(vars(flags))})
        notes = settings.notes
        if flags.command == "run":
            notes = (*notes, *prepare_folders(settings))
    except CalotypeError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_COMMAND
    for note in notes:
        sys.stderr.write(f"{note}\n")
    if flags.command == "packs":
        return run_packs(flags, settings)
    if flags.command == "lock":
        from engine.cli.lock import LockOptions, run_lock  # noqa: PLC0415 - it loads torch

        wanted = LockOptions(flags.workflow, flags.update, flags.as_json)
        return _until_interrupted(lambda: run_lock(wanted, settings))
    if flags.command == "fetch":
        return _until_interrupted(lambda: run_fetch(flags, settings))
    from engine.cli.run import RunOptions, check_all, run_file  # noqa: PLC0415 - it loads torch

    if flags.command == "check":
        return _until_interrupted(
            lambda: check_all(flags.workflow, flags.changes, settings, as_json=flags.as_json)
        )
    options = RunOptions(
        path=flags.workflow,
        changes=tuple(flags.changes),
        output=getattr(flags, "output", None),
        overwrite=getattr(flags, "overwrite", False),
        as_json=flags.as_json,
    )
    return _until_interrupted(lambda: run_file(options, settings))


def _until_interrupted(work: Callable[[], int]) -> int:
    try:
        return work()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130


def _serve(flags: argparse.Namespace, serve: Serve) -> int:
    if flags.list_feature_flags:
        sys.stdout.write("{}\n")
        return 0
    try:
        settings = settings_from({**vars(flags), **dict(translate(flags))})
        serving = serving_from(flags)
        choose_cuda_devices(flags)
        warnings = (*notes(flags), *settings.notes, *prepare_folders(settings))
    except CalotypeError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_COMMAND
    return serve(replace(settings, notes=warnings), serving)
