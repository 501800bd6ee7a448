"""The changes that plugins' hooks make, as `engine.inference.values.Changes`."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from engine.adapters.read import adapter_of
from engine.compat.boundary import plugin_boundary
from engine.compat.models.networks import net_hooks
from engine.compat.parts.text_names import host_name
from engine.compat.weight_patches import host_patches
from engine.inference.hook_groups import AdapterChanges
from engine.inference.values import Changes, Clip, Model
from engine.nets.hooks import NetHooks
from engine.residency.sources import Patches
from engine.weights.state_dict import StateDict

DENOISER = "diffusion_model."
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Same:
    """An object as a key: equal only to itself, which is kept alive."""

    value: Any = field(compare=False)
    identity: int = 0

    @classmethod
    def of(cls, value: Any) -> Same:
        """The key of an object."""
        return cls(value, id(value))


def adapter_changes(tensors: Mapping[str, Tensor]) -> Changes:
    """An adapter's tensors as the changes that Create Hook LoRA makes of its file.

    Raises:
        WeightsError: they are no adapter's.
    """
    identity: Hashable = Same.of(tensors)
    return AdapterChanges(adapter_of(StateDict.of(dict(tensors)), identity))


@dataclass(frozen=True)
class KeyedChanges:
    """Changes by the keys of `add_patches`, of the denoiser and of text encoders."""

    model: Same
    clip: Same

    @classmethod
    def of(cls, model: Any, clip: Any) -> KeyedChanges:
        """Make them of two dictionaries, each of which may be None."""
        return cls(Same.of(model), Same.of(clip))

    def of_model(self, model: Model, strength: float) -> Patches:
        """See `Changes`."""
        found = host_patches(self.model.value or {}, strength)
        named = {key.removeprefix(DENOISER): patches for key, patches in found.items()}
        return {name: each for name, each in named.items() if name in model.net.sources}

    def of_clip(self, clip: Clip, strength: float) -> Mapping[str, Patches]:
        """See `Changes`."""
        found = host_patches(self.clip.value or {}, strength)
        changes: dict[str, dict[str, Any]] = {}
        for name, part in clip.parts.items():
            if part.weights.is_missing:
                continue
            theirs = {f"{name}.{host_name(own, name)}": own for own in part.weights.sources}
            changes[name] = {own: found[key] for key, own in theirs.items() if key in found}
        return changes


@dataclass(frozen=True)
class OtherChanges:
    """A plugin's hook that changes no weights.

    Attributes:
        hook: the plugin's object.
    """

    hook: Any = field(compare=False)
    identity: int = 0

    @classmethod
    def of(cls, hook: Any) -> OtherChanges:
        """The changes of a hook; copies of one hook are equal."""
        return cls(hook, hash(hook))

    def net_hooks(self, model: Model) -> NetHooks | None:
        """Patches of `transformer_options` that the hook asks for; see `NetworkChanges`."""
        apply = getattr(self.hook, "on_apply_hooks", None)
        if apply is None:
            _LOGGER.warning(
                "a hook of the class %s has no effect: of plugins' own hooks, those that add "
                "transformer options or change weights are applied",
                type(self.hook).__name__,
            )
            return None
        patcher = plugin_boundary().to_object(model)
        options: dict[str, Any] = {}
        added = apply(patcher, options)
        return net_hooks({**options, **(added or {})})

    def of_model(self, model: Model, strength: float) -> Patches:
        """None."""
        del model, strength
        return {}

    def of_clip(self, clip: Clip, strength: float) -> Mapping[str, Patches]:
        """None."""
        del clip, strength
        return {}
