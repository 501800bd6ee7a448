"""The flags of `fetch`; what it does is in `fetch.py`, which loads torch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.settings import Settings, add_flags, add_pack_flags
from engine.tokenizer_sources import SOURCES


def add_fetch_command(commands: Any) -> None:
    """Add `fetch` to the commands."""
    fetch = commands.add_parser(
        "fetch",
        help="download the models that workflows need, after asking",
        description="List the models that workflows name and that are missing, and download them: "
        "https only, from hosts that you allow, checked by hash, resumed when called again.",
    )
    fetch.add_argument("workflow", type=Path, nargs="*", help="a .json file or a picture")
    fetch.add_argument(
        "--tokenizer",
        dest="tokenizers",
        action="append",
        default=[],
        choices=tuple(SOURCES),
        help="the tokenizer of this text encoder; may be given several times",
    )
    fetch.add_argument(
        "--yes", action="store_true", help="answer the questions for files and hosts with yes"
    )
    fetch.add_argument(
        "--allow-pickled",
        action="store_true",
        help="also take formats that can hold programs (.ckpt, .pt, .bin ...)",
    )
    fetch.add_argument(
        "--allow-private",
        action="store_true",
        help="also ask for hosts of this machine and its own network",
    )
    add_flags(fetch)
    add_pack_flags(fetch)


def run_fetch(flags: argparse.Namespace, settings: Settings) -> int:
    """Run it; returns the exit code."""
    from engine.cli.fetch import FetchOptions, fetch  # noqa: PLC0415 - it loads torch

    options = FetchOptions(
        paths=tuple(dict.fromkeys(flags.workflow)),
        tokenizers=frozenset(flags.tokenizers),
        yes=flags.yes,
        allow_pickled=flags.allow_pickled,
        allow_private=flags.allow_private,
    )
    return fetch(options, settings)
