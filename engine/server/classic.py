"""The classic view: the incumbent's own page, for the scripts of plugins that were written for it.

The page is a package by others that the user installs; nothing of it is in this repository. It is
served on a port of its own and so on an origin of its own: a plugin's script there has no access
to the storage, the pages and the `/calotype` routes of our editor. The package's Python is not
imported.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from aiohttp import web

from engine.server.tokens import Tokens

PACKAGE = "comfyui-frontend-package"
INSTALL = "pip install -e '.[classic]'"
_STATIC = "comfyui_frontend_package/static"
CLASSIC_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": (
            "default-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; "
            "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
        ),
    }
)
"""On every answer of the classic origin: its scripts may do anything there, and ask nobody else."""


@dataclass(frozen=True, slots=True)
class Frontend:
    """The installed package.

    Attributes:
        folder: holds `index.html`.
    """

    folder: Path
    version: str


@dataclass(frozen=True, slots=True)
class Classic:
    """Where the classic view is.

    Attributes:
        frontend: what it shows; None if the package is not installed.
        port: it is served on; None if it is not.
        secure: whether with HTTPS.
        tokens: of the server; None where no token is needed.
        reason: why it is not served; empty if it is.
    """

    frontend: Frontend | None = None
    port: int | None = None
    secure: bool = False
    tokens: Tokens | None = None
    reason: str = ""


CLASSIC = web.AppKey("classic", Classic)
"""Where the main application keeps it."""
NOT_INSTALLED = f"The package {PACKAGE} is not installed."
TURNED_OFF = "Calotype was started with --classic-port off."


def find_frontend() -> Frontend | None:
    """The package as pip installed it; None if it is not there. Runs nothing of it."""
    try:
        found = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None
    folder = Path(str(found.locate_file(_STATIC)))
    return Frontend(folder, found.version) if (folder / "index.html").is_file() else None
