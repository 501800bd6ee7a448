"""GLIGEN objects for plugins."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from engine.compat.parts.part_patcher import PartPatcher
from engine.inference.gligen import GligenModel


class Gligen(nn.Module):
    """The networks of a GLIGEN file; the engine runs them."""

    def __init__(self, modules: Any = None, position_net: Any = None, key_dim: int = 768) -> None:
        super().__init__()
        self.module_list = modules
        self.position_net = position_net
        self.key_dim = key_dim
        self.max_objs = 30

    def _set_position(self, boxes: Tensor, masks: Tensor, positive_embeddings: Tensor) -> Any:
        """Refused: the engine places phrases itself."""
        raise NotImplementedError(
            "the networks of GLIGEN are run by the engine; use GLIGENTextBoxApply, or the key "
            "`gligen` of a conditioning"
        )

    def set_position(self, latent_image_shape: Any, position_params: Any, device: Any) -> Any:
        """See `_set_position`."""
        return self._set_position(latent_image_shape, position_params, device)

    def set_empty(self, latent_image_shape: Any, device: Any) -> Any:
        """See `_set_position`."""
        return self._set_position(latent_image_shape, device, device)


class GligenPatcher(PartPatcher):
    """The value of a GLIGEN wire for plugins."""

    @classmethod
    def of_value(cls, value: GligenModel) -> GligenPatcher:
        """The object of a GLIGEN value."""
        shown = Gligen()
        made = cls(lambda: shown, {"": (value.weights, lambda name: name)})
        made._value = value
        return made

    _value: GligenModel

    def to_value(self) -> GligenModel:
        """The frozen value."""
        return self._value
