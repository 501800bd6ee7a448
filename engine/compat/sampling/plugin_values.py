"""Engine values of plugins' own guiders, samplers and noise."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from engine.compat.sampling.values import to_value
from engine.diffusion.guidance import Evaluate, Hooks
from engine.diffusion.samplers.table import SamplerSpec
from engine.inference.values import Conditioning, Model, Sampler


@dataclass(frozen=True, slots=True, eq=False)
class PluginGuider:
    """A plugin's guider as an engine value; samples only on the plugins' path.

    Attributes:
        model: what it samples with, for previews and sizes.
        thing: the plugin's object.
    """

    model: Model
    thing: Any

    def conditionings(self) -> Mapping[str, Conditioning]:
        """None that the engine could evaluate without the plugin."""
        return {}

    def guide(
        self, evaluate: Evaluate, x: Tensor, sigma: Tensor, hooks: Hooks, *, both: bool
    ) -> tuple[Tensor, Tensor]:
        """Refuse: only the plugin's own method samples."""
        del evaluate, x, sigma, hooks, both
        raise NotImplementedError(
            f"{type(self.thing).__name__} is a plugin's guider; it works only in nodes that sample "
            "through the plugins' path"
        )


def _only_by_plugin(*_: Any, **__: Any) -> Tensor:
    raise NotImplementedError(
        "this sampler is a plugin's; it works only in nodes that sample through the plugins' path"
    )


PLUGIN_SPEC = SamplerSpec(_only_by_plugin)


@dataclass(frozen=True, slots=True, eq=False)
class PluginSampler(Sampler):
    """A plugin's sampler as an engine value; samples only on the plugins' path.

    Attributes:
        thing: the plugin's object.
    """

    thing: Any = field(kw_only=True)

    def object(self) -> Any:
        """A fresh sampler with the options that a node set."""
        thing = copy.copy(self.thing)
        if self.knobs and hasattr(thing, "extra_options"):
            thing.extra_options = {**thing.extra_options, **self.knobs}
        return thing


@dataclass(frozen=True, slots=True, eq=False)
class PluginNoise:
    """A plugin's noise without a seed of its own."""

    thing: Any
    seed: int = 0

    def generate_noise(self, latent: Mapping[str, Any]) -> Tensor:
        """See `engine.inference.values.Noise`."""
        return self.thing.generate_noise(latent)


def plugin_guider(thing: Any) -> Any:
    """The engine's value of a guider object: its own for a plain `CFGGuider`."""
    return PluginGuider(to_value(thing.model_patcher), thing)
