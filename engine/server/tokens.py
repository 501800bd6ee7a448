"""The token that grants access from another machine, and the sessions made from it.

The token is in a file that only its owner can read. A browser opens an address with a one-time
token and is given a session; a program sends the token itself.
"""

from __future__ import annotations

import hmac
import math
import os
import secrets
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from engine.errors import CalotypeError

MOST_FAILURES = 5
"""Wrong tokens from one address within a minute; then none is checked."""
_MINUTE = 60.0
_MOST_ADDRESSES = 10_000


class Tokens:
    """The token of one server and the sessions made from it; a new token ends all sessions."""

    def __init__(self, token: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._token = token
        self._clock = clock
        self._one_time_tokens: dict[str, float] = {}
        self._failures: dict[str, deque[float]] = {}

    def is_token(self, given: str) -> bool:
        """Whether it is the token."""
        return _same(given, self._token)

    def new_one_time_token(self, seconds: float = math.inf) -> str:
        """A token that grants access to one browser, once, within that time."""
        now = self._clock()
        for expired in [each for each, end in self._one_time_tokens.items() if end < now]:
            del self._one_time_tokens[expired]
        once = secrets.token_urlsafe(32)
        self._one_time_tokens[once] = now + seconds
        return once

    def redeem(self, once: str) -> bool:
        """Whether it was a valid one-time token; it is invalid from now on."""
        found = next((each for each in self._one_time_tokens if _same(each, once)), None)
        return found is not None and self._one_time_tokens.pop(found) >= self._clock()

    def new_session(self) -> str:
        """A session for a browser; it lasts as long as the token."""
        name = secrets.token_urlsafe(16)
        return f"{name}.{self._sign(name)}"

    def is_session(self, given: str) -> bool:
        """Whether `new_session` made it from this token."""
        name, _, signature = given.partition(".")
        return _same(signature, self._sign(name))

    def count_failure(self, address: str) -> None:
        """Count a wrong token from this address."""
        if len(self._failures) >= _MOST_ADDRESSES:
            self._failures.clear()
        self._failures.setdefault(address, deque(maxlen=MOST_FAILURES)).append(self._clock())

    def is_blocked(self, address: str) -> bool:
        """Whether too many wrong ones came from there in the last minute."""
        failures = self._failures.get(address, ())
        return len(failures) == MOST_FAILURES and self._clock() - failures[0] < _MINUTE

    def _sign(self, name: str) -> str:
        return hmac.digest(self._token.encode(), _bytes(f"session {name}"), "sha256").hex()


def _same(first: str, second: str) -> bool:
    """Whether two texts are the same, compared in constant time."""
    return hmac.compare_digest(_bytes(first), _bytes(second))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def read_token(path: Path) -> str:
    """The token in that file; a new one where there is none.

    Raises:
        CalotypeError: others may read the file, or it cannot be read or written.
    """
    try:
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as stream:
                stream.write(secrets.token_urlsafe(32) + "\n")
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise CalotypeError(f"{path}: others may read the token; type: chmod 600 {path}")
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CalotypeError(f"{path}: the token cannot be read or written: {error}") from error
    if len(token) < 32:
        raise CalotypeError(f"{path}: the token is too short; delete the file for a new one")
    return token
