"""Checks that a conditioning was made by the text encoders of the model that receives it."""

from __future__ import annotations

from engine.errors import NodeError
from engine.families.family import Entry


def check_tokens(entry: Entry, width: int | None, *, advice: str) -> None:
    """Refuse a conditioning made by other text encoders.

    Raises:
        NodeError: the width of the tokens is not the network's.
    """
    found = entry.embedding.shape[-1]
    if width is not None and found != width:
        raise NodeError(
            f"the conditioning's tokens have {found} numbers, the model takes {width}: the prompt "
            f"was encoded for another model. {advice}"
        )
