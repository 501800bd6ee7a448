"""Where the tools write what they measured: to standard output, at once."""

import sys


def report(line: str) -> None:
    """Write one line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
