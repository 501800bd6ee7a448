"""Writes engine/server/builtin_catalog.json: how every built-in node looks, from the registry.

    python tools/write_catalog.py           # write it
    python tools/write_catalog.py --check   # exit 1 if it is out of date

The server reads it, so that the editor opens before torch has loaded.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.graph.catalog_file import write_catalog
from nodes import builtin_registry

FILE = Path(__file__).resolve().parent.parent / "engine" / "server" / "builtin_catalog.json"


def catalog() -> str:
    """The file's text."""
    return write_catalog(builtin_registry().catalog())


def main() -> int:
    """Write the file, or check whether it is up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    if not parser.parse_args().check:
        FILE.write_text(catalog(), encoding="utf-8")
        return 0
    if FILE.is_file() and FILE.read_text(encoding="utf-8") == catalog():
        return 0
    sys.stderr.write(f"{FILE.name} is out of date: run python tools/write_catalog.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
