"""Control objects of plugins in our runs: each call asks the object for its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from engine.compat.boundary import plugin_boundary
from engine.compat.install import host_module
from engine.inference.values import Model
from engine.nets.hooks import Residuals
from engine.residency.handles import Weights

PARTS = ("input", "middle", "output")


def residuals_of(control: Mapping[str, Sequence[Any]]) -> Residuals:
    """Outputs in the form of plugins, whose lists are read from their ends, as ours."""
    parts = (tuple(reversed(control.get(part) or ())) for part in PARTS)
    return Residuals(*parts)


def control_of_residuals(residuals: Residuals) -> dict[str, list[Any]]:
    """The inverse of `residuals_of`."""
    parts = zip(PARTS, (residuals.input, residuals.middle, residuals.output), strict=True)
    return {name: list(reversed(slots)) for name, slots in parts}


class PluginControl:
    """A plugin's control object, with all before it, see `ForeignControl`."""

    weights: tuple[Weights, ...] = ()

    def __init__(self, control: Any) -> None:
        self.control = control
        self._stands_for: Any = None

    @property
    def chain(self) -> tuple[Any, ...]:
        """Itself: it evaluates those before it."""
        return (self,)

    def start(self, model: Model, to_sigma: Callable[[float], float]) -> None:
        """A run begins: the object and its networks get ready."""
        patcher = plugin_boundary().to_object(model)
        base = patcher.model
        management = host_module("comfy.model_management")
        models = self.control.get_models()
        if models:
            management.load_models_gpu(models)
        self.control.pre_run(base, to_sigma)

    def residuals(
        self,
        x: Tensor,
        sigma: Tensor,
        inputs: Mapping[str, Tensor],
        options: Mapping[str, Any],
        entries: int,
    ) -> Residuals | None:
        """The outputs for one call, or None.

        Args:
            x: [N, C, ...], noisy, not scaled.
            sigma: [N].
            inputs: the denoiser's, by our names.
            options: `transformer_options`.
            entries: how many entries share the call.
        """
        names = {"context": "c_crossattn", "vector": "y", "concat": "c_concat"}
        cond: dict[str, Any] = {names.get(name, name): each for name, each in inputs.items()}
        # What the object writes into them, the network's wrappers read.
        shared = options if isinstance(options, dict) else dict(options)
        cond["transformer_options"] = shared
        found = self.control.get_control(x, sigma, cond, entries, shared)
        return None if found is None else residuals_of(found)

    def end(self) -> None:
        """A run ended."""
        self.control.cleanup()
