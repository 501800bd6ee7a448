"""The networks of control objects, in the form in which plugins call them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from engine.compat.parts.control_foreign import control_of_residuals
from engine.compat.parts.interrupts import checkpoint
from engine.control.kind import Call
from engine.inference import control as engine_control
from engine.residency.manager import current


class ControlNetwork:
    """`control_model`: called with `x, hint, timesteps, context, y`, returns outputs by part.

    Attributes:
        net: the engine's control network, on a model's weights where it needs one.
    """

    def __init__(self, net: engine_control.ControlNet) -> None:
        self.net = net
        self._features: tuple[Any, Sequence[Tensor]] | None = None

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that is computed in."""
        return current().dtype_of(self.net.weights)

    def __call__(
        self,
        x: Tensor,
        hint: Tensor,
        timesteps: Tensor,
        context: Tensor | None = None,
        y: Tensor | None = None,
        **kwargs: Any,
    ) -> dict[str, list[Any]]:
        """Outputs for one call; x as the denoiser gets it, hint as `ControlKind.shown` makes it.

        A network that takes an encoded picture gets that as hint. `guidance` [B] is of FLUX.1.
        """
        chosen = kwargs.get("control_type")
        net = self.net if not chosen else self.net.of_type(int(chosen[0]))
        residency, weights = current(), net.weights
        dtype = residency.dtype_of(weights)
        room = net.kind.activation_bytes(net.config, x.shape, dtype.itemsize)
        given = {"context": context, "vector": y, "guidance": kwargs.get("guidance")}
        with residency.use(weights, room_for=room, checkpoint=checkpoint), torch.no_grad():
            device = residency.device
            inputs = {n: t.to(device, dtype) for n, t in given.items() if t is not None}
            pictures = hint.to(device, dtype)
            if self._features is None or self._features[0] is not hint:
                features = net.kind.features(net.config, weights.module, pictures)
                self._features = (hint, features)
            times = timesteps.to(device).float()
            call = Call(x.to(device, dtype), times, inputs, self._features[1], checkpoint)
            return control_of_residuals(net.kind.residuals(net.config, weights.module, call))

    def to(self, *_: Any, **__: Any) -> ControlNetwork:
        """Itself: the engine moves weights."""
        return self

    def eval(self) -> ControlNetwork:
        """Itself."""
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.__dict__["net"].weights.module, name)


class T2INetwork:
    """`t2i_model`: called with a picture [B, C, H, W] in 0..1, returns outputs by part."""

    def __init__(self, net: engine_control.ControlNet) -> None:
        self.net = net
        self.input_channels = int(getattr(net.config, "picture_channels", 3))
        self.unshuffle_amount = int(getattr(net.config, "factor", 8))

    def __call__(self, picture: Tensor) -> dict[str, list[Any]]:
        """The features of pictures."""
        net, residency = self.net, current()
        dtype = residency.dtype_of(net.weights)
        cells = (len(picture), 4, picture.shape[2] // 8, picture.shape[3] // 8)
        room = net.kind.activation_bytes(net.config, cells, dtype.itemsize)
        with residency.use(net.weights, room_for=room, checkpoint=checkpoint), torch.no_grad():
            ready = picture.expand(-1, 3, -1, -1).to(residency.device, dtype)
            features = net.kind.features(net.config, net.weights.module, ready)
            empty = ready.new_zeros(cells)
            call = Call(empty, ready.new_zeros(len(picture)), {}, features, checkpoint)
            return control_of_residuals(net.kind.residuals(net.config, net.weights.module, call))

    def to(self, *_: Any, **__: Any) -> T2INetwork:
        """Itself: the engine moves weights."""
        return self

    def cpu(self) -> T2INetwork:
        """Itself, see `to`."""
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.__dict__["net"].weights.module, name)
