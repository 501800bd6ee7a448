"""Models that take an encoded picture in the place of a text, and no text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engine.errors import NodeError


def refusal(family: str, nodes: str) -> NodeError:
    """The error of a prompt for a family without text encoders; `nodes` make its conditioning."""
    return NodeError(
        f"{family} takes a picture in the place of a prompt: load the checkpoint with Image Only "
        f"Checkpoint Loader and use {nodes}"
    )


def check_rows(what: str, value: Tensor, rows: int) -> None:
    """Refuse a value [B, ...] that is neither one for all rows of x nor one for each.

    Raises:
        NodeError: it has another number of rows.
    """
    if len(value) not in (1, rows):
        raise NodeError(
            f"the conditioning has {what} for {len(value)} frames, the latent has {rows} frames; "
            "use the latent of the node that made the conditioning, or give it one picture"
        )


def number(extras: Mapping[str, Any], key: str, default: float) -> list[float]:
    """The numbers of a value in a conditioning entry: one for all rows, or one for each.

    Raises:
        NodeError: it is no number and no list of numbers.
    """
    found = extras.get(key, default)
    values = found if isinstance(found, list | tuple) else [found]
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError) as error:
        raise NodeError(f"{key} of the conditioning should be a number, found {found!r}") from error
