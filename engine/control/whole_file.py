"""What control networks have in common whose file holds all of their weights."""

from __future__ import annotations

from typing import Any

from engine.control.kind import OnModel
from engine.residency.handles import Weights
from engine.weights.state_dict import StateDict


class WholeFile:
    """The methods of `engine.control.kind.ControlKind` that are the same for all of them.

    The network is the file's alone, and there is one type of picture.
    """

    def is_difference(self, config: Any) -> bool:
        """No."""
        del config
        return False

    def needs_model(self, config: Any) -> bool:
        """No."""
        del config
        return False

    def on_model(self, config: Any, tensors: StateDict, model: Weights) -> OnModel:
        """See `ControlKind`."""
        del config, tensors, model
        raise ValueError("the file has all weights")

    def types(self, config: Any) -> int:
        """0: there is one type of picture."""
        del config
        return 0

    def of_type(self, config: Any, number: int | None) -> Any:
        """See `ControlKind`."""
        del number
        return config
