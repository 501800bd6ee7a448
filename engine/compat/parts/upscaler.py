"""UPSCALE_MODEL objects for plugins, in the form of spandrel's `ImageModelDescriptor`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from engine.compat.parts.interrupts import checkpoint
from engine.inference.upscale import upscale_model_of
from engine.inference.upscale_model import UpscaleModel
from engine.residency.handles import LazyWeights
from engine.residency.manager import current
from engine.weights.state_dict import StateDict

FEATURES = 64
"""Feature maps of the input's size that a network is assumed to need at a time."""


class ImageModelDescriptor:
    """A network that enlarges pictures.

    Attributes:
        scale: output pixels per input pixel along one side.
        input_channels, output_channels: of pictures.
        model: the network; called like the descriptor itself.
    """

    def __init__(self, value: UpscaleModel) -> None:
        self._value = value
        self.scale = value.scale
        self.input_channels = value.channels
        self.output_channels = value.result_channels
        self.purpose = "SR" if value.scale > 1 else "Restoration"
        self.architecture = _Architecture(value.architecture)
        self.supports_half = self.supports_bfloat16 = True
        self.tags: list[str] = []

    def to_value(self) -> UpscaleModel:
        """The frozen value."""
        return self._value

    @property
    def model(self) -> Any:
        """The network."""
        return _Network(self)

    @property
    def device(self) -> torch.device:
        """The device that computes."""
        return current().device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that is computed in."""
        return current().dtype_of(self._value.weights)

    def to(self, *_: Any, **__: Any) -> ImageModelDescriptor:
        """Itself: the engine moves weights when they are used."""
        return self

    def cpu(self) -> ImageModelDescriptor:
        """Itself, see `to`."""
        return self

    def cuda(self, *_: Any) -> ImageModelDescriptor:
        """Itself, see `to`."""
        return self

    def half(self) -> ImageModelDescriptor:
        """Itself: the engine chooses the dtype."""
        return self

    def float(self) -> ImageModelDescriptor:
        """Itself, see `half`."""
        return self

    def eval(self) -> ImageModelDescriptor:
        """Itself."""
        return self

    def train(self, mode: bool = True) -> ImageModelDescriptor:
        """Itself; training is not possible."""
        del mode
        return self

    def parameters(self) -> Any:
        """The network's, without values where the engine has not loaded it."""
        return self._value.weights.module.parameters()

    def __call__(self, image: Tensor) -> Tensor:
        """Pictures [B, C, H, W] in 0..1, enlarged, on the device of `image`."""
        value, residency = self._value, current()
        room = image.numel() * FEATURES * 4 + image.numel() * value.scale**2 * 16
        with residency.use(value.weights, room_for=room, checkpoint=checkpoint), torch.no_grad():
            ready = image.contiguous().float().to(residency.device)
            found = value.run(value.weights.module, ready)
        return found.clamp(0, 1).to(image.device, image.dtype)


class _Architecture:
    """The architecture of a network."""

    def __init__(self, name: str) -> None:
        self.id = self.name = name


class _Network:
    """The network of a descriptor: callable, and otherwise the module itself."""

    def __init__(self, owner: ImageModelDescriptor) -> None:
        self._owner = owner

    def __call__(self, image: Tensor) -> Tensor:
        return self._owner(image)

    def to(self, *_: Any, **__: Any) -> _Network:
        """Itself, see `ImageModelDescriptor.to`."""
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.__dict__["_owner"].to_value().weights.module, name)


def load_state_dict(state_dict: Mapping[str, Tensor]) -> ImageModelDescriptor:
    """The upscale model with a file's tensors. Raises `WeightsError`."""
    return ImageModelDescriptor(upscale_model_of(StateDict.of(dict(state_dict))))


def stranger(value: Any) -> UpscaleModel | None:
    """The frozen value of a plugin's own descriptor (spandrel's); None for other objects."""
    names = ("scale", "input_channels", "output_channels", "model")
    if isinstance(value, type) or not all(hasattr(value, name) for name in names):
        return None
    module = value.model
    if not hasattr(value, "__call__") or not isinstance(module, nn.Module):  # noqa: B004
        return None
    architecture = getattr(value, "architecture", None)
    name = str(getattr(architecture, "name", architecture))
    size = sum(each.numel() * each.element_size() for each in module.parameters())
    return UpscaleModel(
        name,
        int(value.scale),
        int(value.input_channels),
        int(value.output_channels),
        LazyWeights(f"{name} of a plugin", size, lambda: module),
        lambda network, pictures: network(pictures.to(current().dtype)).float(),
    )
