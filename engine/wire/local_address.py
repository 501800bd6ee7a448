"""The address of a worker's own HTTP server: a socket of the file system, or a port, and a secret.

Only the server may call it: every request carries the secret in a header.
"""

from __future__ import annotations

import msgspec

from engine.errors import WireError

SECRET_HEADER = "X-Calotype-Worker"  # noqa: S105 - the name of a header
ON_PROMPT = "/calotype/internal/on_prompt"
"""Where the server has plugins change a prompt."""


class LocalAddress(msgspec.Struct, frozen=True):
    """Where to connect, and how to prove who one is.

    Attributes:
        secret: the value of `SECRET_HEADER`.
        path: of a Unix socket; empty where the server listens on a port of the loopback address.
        port: that port.
    """

    secret: str
    path: str = ""
    port: int = 0

    def to_text(self) -> str:
        """As `PacksReady.routes` holds it."""
        return msgspec.json.encode(self).decode()


def read_local_address(text: str) -> LocalAddress:
    """What `to_text` wrote.

    Raises:
        WireError: it is none.
    """
    try:
        return msgspec.json.decode(text, type=LocalAddress)
    except msgspec.MsgspecError as error:
        raise WireError(f"a worker named an address that is none: {error}") from error
