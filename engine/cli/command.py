"""The command line: what can be typed, and what it means.

Parses and hands over; heavy rooms are imported only for the command that needs them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.errors import CalotypeError
from engine.settings import add_flags, settings_from

EXIT_CODES = "exit codes: 0 done, 1 failed, 2 invalid workflow or command, 130 interrupted"


def build_parser() -> argparse.ArgumentParser:
    """Every command and flag."""
    parser = argparse.ArgumentParser(
        prog="python main.py",
        description="Calotype: a node-graph studio for latent diffusion.",
        epilog=EXIT_CODES,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
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
        help="say what is wrong with a workflow, run nothing",
        description="Check a workflow: classes, inputs, links, files.",
        epilog=EXIT_CODES,
    )
    for command in (run, check):
        command.add_argument("workflow", type=Path, help="a .json file or a picture")
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


def run_command(arguments: Sequence[str]) -> int:
    """Carry out what was typed; returns the exit code."""
    flags = build_parser().parse_args(arguments)
    try:
        settings = settings_from(vars(flags))
    except CalotypeError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    from engine.cli.run import Order, carry_out  # noqa: PLC0415 - it loads torch

    order = Order(
        path=flags.workflow,
        changes=tuple(flags.changes),
        output=getattr(flags, "output", None),
        overwrite=getattr(flags, "overwrite", False),
        as_json=flags.as_json,
        check_only=flags.command == "check",
    )
    try:
        return carry_out(order, settings)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
