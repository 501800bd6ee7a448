"""The root of all messages between two of our processes."""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, frozen=True, tag_field="kind", tag=str.lower):
    """The root: each message carries its own lower-case name as `kind`."""
