"""What a running node may ask of its surroundings, and nothing else.

Knows the questions, not the answers: the worker gives the real one, tests give a small one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from engine.files import Files


@runtime_checkable
class Context(Protocol):
    """All that a running node may ask. A node receives one by naming a parameter of this type."""

    @property
    def node_id(self) -> str:
        """The id of this node in the prompt."""
        ...

    @property
    def files(self) -> Files:
        """The user's folders: list, find inside, name a new file."""
        ...

    @property
    def prompt(self) -> Mapping[str, Any]:
        """The prompt being run, in API form, for a picture's metadata."""
        ...

    @property
    def workflow(self) -> Mapping[str, Any] | None:
        """The saved workflow the prompt came from, if one was sent along."""
        ...

    def progress(self, step: int, steps: int, preview: bytes | None = None) -> None:
        """Report `step` of `steps`, with a JPEG preview if there is one. Raises Stopped."""
        ...

    def checkpoint(self) -> None:
        """Raise `Stopped` when the user pressed stop. Call it at every block, tile and step."""
        ...

    def show(self, **shown: object) -> None:
        """Give the editor something to draw under the node, e.g. `images=[...]`, `text=[...]`."""
        ...
