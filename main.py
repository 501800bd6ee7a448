"""Starts Calotype: parses the command and runs it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.serving import Serving
    from engine.settings import Settings

INSTALL = "pip install -e ."


def main() -> int:
    """Run the command that was typed; the result is the process's exit code."""
    open_missing_streams()
    try:
        from engine.cli.command import run_command  # noqa: PLC0415 - a missing package is reported below

        return run_command(sys.argv[1:], serve)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in {"engine", "nodes"}:
            raise
        sys.stderr.write(
            f"Calotype needs the package {error.name!r}. In this folder, type: {INSTALL}\n"
        )
        return 1


def serve(settings: Settings, serving: Serving) -> int:
    """Run the server, which the command line does not import."""
    from engine.server.serve import serve as run  # noqa: PLC0415 - only for this command

    return run(settings, serving)


def open_missing_streams() -> None:
    """Open null streams in a process that was started without standard streams.

    Otherwise the next file that is opened, such as the database, becomes standard error.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            stream = open(number, "r" if number == 0 else "w", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


if __name__ == "__main__":
    sys.exit(main())
