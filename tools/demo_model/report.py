"""Writes the measurements of the tools to standard output, unbuffered."""

import sys


def report(line: str) -> None:
    """Write one line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
