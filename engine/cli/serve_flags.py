"""The flags of `serve`: where to listen and who has access.

Only parses; docs/http_api.md and SECURITY.md say what the flags mean.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from engine.errors import SettingsError
from engine.serving import (
    ANY_ORIGIN,
    DEFAULT_PORT,
    DEFAULT_UPLOAD,
    EVERYWHERE,
    LOOPBACK,
    Serving,
    read_addresses,
    read_base_path,
    read_host,
    read_origin,
)

_OFF = -1
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def add_serve_flags(parser: argparse.ArgumentParser) -> None:
    """Give a parser the flags that only a server understands."""
    parser.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, help="to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--classic-port",
        type=_classic_port,
        metavar="PORT",
        help="of the classic view, or off (default: the port after --port, if it is free)",
    )
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    parser.add_argument(
        "--verbose",
        nargs="?",
        const="DEBUG",
        type=str.upper,
        choices=_LEVELS,
        metavar="LEVEL",
        help="say more in the log: DEBUG, INFO, WARNING, ERROR or CRITICAL",
    )
    _add_ways_in(parser.add_argument_group("ways in (all off by default)"))
    parser.add_argument(
        "--max-upload-size",
        type=_megabytes,
        default=DEFAULT_UPLOAD,
        metavar="MB",
        help="the largest upload (default: 100)",
    )


def _add_ways_in(ways: argparse._ArgumentGroup) -> None:
    ways.add_argument(
        "--listen",
        nargs="?",
        const=",".join(EVERYWHERE),
        metavar="ADDRESS",
        help="let other machines in, who need the token of the printed address",
    )
    ways.add_argument(
        "--require-token", action="store_true", help="ask for the token on this machine, too"
    )
    ways.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="answer to this name, too: a reverse proxy's, host.docker.internal; again for more",
    )
    ways.add_argument(
        "--enable-cors-header",
        nargs="?",
        const=ANY_ORIGIN,
        action="append",
        metavar="ORIGIN",
        help="let pages of this origin ask and show results, as https://tools.example; "
        "again for more; * or nothing is every page",
    )
    ways.add_argument(
        "--allow-links", action="store_true", help="let a link on any page open a result"
    )
    ways.add_argument(
        "--base-path",
        default="",
        metavar="PATH",
        help="where a reverse proxy serves the studio, as /studio",
    )
    ways.add_argument(
        "--tls-certfile", type=Path, metavar="PATH", help="the certificate for HTTPS (PEM)"
    )
    ways.add_argument("--tls-keyfile", type=Path, metavar="PATH", help="its key (PEM)")


def serving_from(flags: argparse.Namespace) -> Serving:
    """The parsed flags as one value.

    Raises:
        SettingsError: a name, an origin or a path is none, or HTTPS lacks one of its files.
    """
    given: dict[str, Any] = vars(flags)
    if (flags.tls_certfile is None) != (flags.tls_keyfile is None):
        raise SettingsError("HTTPS needs both --tls-certfile and --tls-keyfile")
    opens = given.get("auto_launch") or not flags.no_browser
    return Serving(
        addresses=(LOOPBACK,) if flags.listen is None else read_addresses(flags.listen),
        port=flags.port,
        classic_port=None if flags.classic_port == _OFF else flags.classic_port,
        classic=flags.classic_port != _OFF,
        browser=opens and not given.get("disable_auto_launch"),
        require_token=flags.require_token,
        allowed_hosts=tuple(dict.fromkeys(map(read_host, flags.allowed_host))),
        allowed_origins=tuple(dict.fromkeys(map(read_origin, flags.enable_cors_header or ()))),
        allow_links=flags.allow_links,
        base_path=read_base_path(flags.base_path),
        certificate=flags.tls_certfile,
        key=flags.tls_keyfile,
        most_upload=flags.max_upload_size,
        compress=bool(given.get("enable_compress_response_body")),
        quiet=bool(given.get("dont_print_server")),
        log_level=logging.getLevelName(flags.verbose or "WARNING"),
        quit_when_ready=bool(given.get("quick_test_for_ci")),
    )


def _port(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return number


def _classic_port(text: str) -> int:
    return _OFF if text.strip().lower() == "off" else _port(text)


def _megabytes(text: str) -> int:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1 << 20:
        raise argparse.ArgumentTypeError("expected a number of megabytes above 0, as in 500")
    return int(number * (1 << 20))
