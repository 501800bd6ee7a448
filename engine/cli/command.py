"""The command line: what can be typed, and what it means.

Parses and dispatches; heavy packages are imported only for the command that needs them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from engine.cli.comfy_flags import add_comfy_flags, choose_cuda_devices, notes, translate
from engine.cli.serve_flags import add_serve_flags, serving_from
from engine.errors import CalotypeError
from engine.folders import prepare_folders
from engine.serving import Serving
from engine.settings import Settings, add_flags, settings_from

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
    serve = commands.add_parser(
        "serve",
        help="open the studio in a browser (also without any command)",
        description="Start the server and open the editor in a browser.",
        epilog=EXIT_CODES,
    )
    add_serve_flags(serve)
    add_flags(serve)
    add_comfy_flags(serve)
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
    return parser


def run_command(arguments: Sequence[str], serve: Serve) -> int:
    """Run the command; returns the exit code."""
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in {"-h", "--help"}):
        arguments = ["serve", *arguments]
    flags = build_parser().parse_args(arguments)
    if flags.command == "serve":
        return _serve(flags, serve)
    try:
        settings = settings_from(vars(flags))
        notes = settings.notes
        if flags.command == "run":
            notes = (*notes, *prepare_folders(settings))
    except CalotypeError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_COMMAND
    for note in notes:
        sys.stderr.write(f"{note}\n")
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
