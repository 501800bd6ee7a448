"""Starts Calotype: reads the command, hands over. Knows no node and no network."""

import sys

INSTALL = "pip install -e ."


def main() -> int:
    """Run the command that was typed; the result is the process's exit code."""
    try:
        from engine.cli.command import run_command  # noqa: PLC0415 - a missing package is told below

        return run_command(sys.argv[1:])
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in {"engine", "nodes"}:
            raise
        sys.stderr.write(
            f"Calotype needs the package {error.name!r}. In this folder, type: {INSTALL}\n"
        )
        return 1


if __name__ == "__main__":
    sys.exit(main())
