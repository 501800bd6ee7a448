"""Starts Calotype: reads the command, hands over. Knows no node and no network."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.settings import Settings

INSTALL = "pip install -e ."


def main() -> int:
    """Run the command that was typed; the result is the process's exit code."""
    try:
        from engine.cli.command import run_command  # noqa: PLC0415 - a missing package is told below

        return run_command(sys.argv[1:], serve)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in {"engine", "nodes"}:
            raise
        sys.stderr.write(
            f"Calotype needs the package {error.name!r}. In this folder, type: {INSTALL}\n"
        )
        return 1


def serve(settings: Settings, address: str | None, port: int, *, browser: bool) -> int:
    """Run the server, which neither of the two ways in knows of the other."""
    from engine.server.serve import Choice  # noqa: PLC0415 - only for this command
    from engine.server.serve import serve as run  # noqa: PLC0415

    return run(settings, Choice(address, port, browser))


if __name__ == "__main__":
    sys.exit(main())
