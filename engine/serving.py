"""How the server listens and who has access: one frozen value, made from the command line.

Names, ports and origins are strings here; `engine.server.guard` applies them.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from engine.errors import SettingsError

COMPATIBLE_WITH = "0.8.0"
"""The ComfyUI version whose API this is; clients use it for feature detection."""
DEFAULT_PORT = 8188
LOOPBACK = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - chosen by `--listen`, and then a token is needed
ANY_ORIGIN = "*"
DEFAULT_UPLOAD = 100 << 20
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?)(:[0-9]{1,5})?")
_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+")
_DEFAULT_PORTS = (("http", 80), ("https", 443))


@dataclass(frozen=True, slots=True)
class Serving:
    """Where to listen, and who has access.

    Attributes:
        addresses: to listen on; only the loopback address lets this machine alone in.
        port: 0 for any that is free.
        classic_port: of the classic view; 0 for any, None for the one after `port`.
        classic: whether the classic view is served, if its package is installed.
        browser: whether to open one.
        require_token: require the token on the loopback address, too.
        allowed_hosts: further names this server is reached by, in lower case; one without a port
            covers all ports.
        allowed_origins: origins of pages that may send requests; `*` is any.
        allow_links: whether a link on any page may open a result.
        base_path: the studio's path on its host, as `/studio`; empty for the root.
        certificate, key: PEM files for HTTPS; None for HTTP.
        most_upload: bytes of the largest upload.
        compress: whether JSON and text are sent compressed.
        quiet: whether to print nothing but errors at the start.
        log_level: of Python's logging; messages below it are dropped.
        quit_when_ready: whether to end as soon as everything has started.
    """

    addresses: tuple[str, ...] = (LOOPBACK,)
    port: int = DEFAULT_PORT
    classic_port: int | None = None
    classic: bool = True
    browser: bool = True
    require_token: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    allow_links: bool = False
    base_path: str = ""
    certificate: Path | None = None
    key: Path | None = None
    most_upload: int = DEFAULT_UPLOAD
    compress: bool = False
    quiet: bool = False
    log_level: int = logging.WARNING
    quit_when_ready: bool = False


def read_addresses(text: str) -> tuple[str, ...]:
    """The addresses of `--listen`, separated by commas.

    Raises:
        SettingsError: there is none.
    """
    found = tuple(dict.fromkeys(each.strip().strip("[]") for each in text.split(",")))
    if not found or not all(found):
        raise SettingsError(
            f"--listen {text!r}: expected an address, or several with commas between, "
            "as in 0.0.0.0 or 192.168.1.5,127.0.0.1"
        )
    return found


def read_host(text: str) -> str:
    """A name of `--allowed-host`, in lower case, with its port if it has one.

    Raises:
        SettingsError: it is no name of one host.
    """
    name = text.strip().lower()
    if "://" in name:
        name = urlsplit(name).netloc
    if not _HOST.fullmatch(name):
        raise SettingsError(
            f"--allowed-host {text!r}: expected the name of one host, with a port or without, "
            "as in studio.example or host.docker.internal:8188; give the flag once for each"
        )
    return name


def read_origin(text: str) -> str:
    """An origin of `--enable-cors-header` as browsers write it, or `*`.

    Raises:
        SettingsError: it is no origin.
    """
    if text.strip() == ANY_ORIGIN:
        return ANY_ORIGIN
    try:
        parts = urlsplit(text.strip().lower())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    plain = parts.path in {"", "/"} and not (parts.query or parts.fragment or parts.username)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain:
        raise SettingsError(
            f"--enable-cors-header {text!r}: expected the origin of a page, "
            "as in http://localhost:3000 or https://tools.example, or * for every page"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = "" if port is None or (parts.scheme, port) in _DEFAULT_PORTS else f":{port}"
    return f"{parts.scheme}://{host}{shown}"


def read_base_path(text: str) -> str:
    """The path of `--base-path`, with a slash before and none after; empty for the root.

    Raises:
        SettingsError: it is no plain path.
    """
    parts = [each for each in text.strip().split("/") if each]
    if not all(_SEGMENT.fullmatch(each) and each.strip(".") for each in parts):
        raise SettingsError(
            f"--base-path {text!r}: expected a path of letters, digits and - . _ ~, as in /studio"
        )
    return "".join(f"/{each}" for each in parts)
