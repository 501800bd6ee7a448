"""The command line: what can be typed, and what it means.

Parses and hands over; heavy rooms are imported only for the command that needs them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from engine.errors import CalotypeError
from engine.settings import Settings, add_flags, settings_from

EXIT_CODES = (
    "exit codes: 0 done, 1 failed, 2 invalid workflow or command, "
    "3 the user directory is in use, 130 interrupted"
)
DEFAULT_PORT = 8188


class Serve(Protocol):
    """Runs the server; this room does not know it."""

    def __call__(self, settings: Settings, address: str | None, port: int, *, browser: bool) -> int:
        """Serve until told to end; returns the exit code."""
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
    serve.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, help="to listen on (default: %(default)s)"
    )
    serve.add_argument(
        "--listen",
        nargs="?",
        const="0.0.0.0",  # noqa: S104 - what the flag is for, and it then asks for a token
        metavar="ADDRESS",
        help="let other machines in, who need the token of the printed address (default: no)",
    )
    serve.add_argument("--no-browser", action="store_true", help="open no browser")
    add_flags(serve)
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


def run_command(arguments: Sequence[str], serve: Serve) -> int:
    """Carry out what was typed; returns the exit code."""
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in {"-h", "--help"}):
        arguments = ["serve", *arguments]
    flags = build_parser().parse_args(arguments)
    try:
        settings = settings_from(vars(flags))
    except CalotypeError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if flags.command == "serve":
        return serve(settings, flags.listen, flags.port, browser=not flags.no_browser)
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


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return number
