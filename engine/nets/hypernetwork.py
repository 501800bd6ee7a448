"""Hypernetworks: small networks that change the tokens of an attention's keys and values.

After the format of AUTOMATIC1111's web UI: for each width of tokens one network for the keys and
one for the values, `x + strength * network(x)`. Every size is read from tensor shapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.nets.hooks import Hook
from engine.nets.layers import Linear

LINEAR = "linear"
ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = MappingProxyType(
    {
        LINEAR: nn.Identity,
        "swish": nn.Hardswish,  # as the format's own reader has it
        **{
            kind.__name__.lower(): kind
            for kind in (
                nn.ReLU, nn.LeakyReLU, nn.ELU, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.GELU, nn.Mish,
                nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.ReLU6, nn.SELU, nn.CELU, nn.Softplus,
                nn.Softsign, nn.Softshrink, nn.Hardshrink, nn.Tanhshrink, nn.LogSigmoid, nn.RReLU,
            )
        },
    }
)  # fmt: skip
"""By the names in files."""
_LAYER = re.compile(r"linear\.(\d{1,3})\.(weight|bias)")
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Layer:
    """A projection to `size` channels, or a norm over them.

    Attributes:
        number: in the file.
    """

    number: int
    size: int
    is_norm: bool


@dataclass(frozen=True, slots=True)
class HypernetworkConfig:
    """Every size of one hypernetwork.

    Attributes:
        layers: by the width of the tokens: the layers for keys, and those for values.
        activation: between two projections; see `ACTIVATIONS`.
        activate_output: whether it follows the last one, too.
    """

    layers: Mapping[int, tuple[tuple[Layer, ...], tuple[Layer, ...]]]
    activation: str = LINEAR
    activate_output: bool = False


def layers_of(shapes: Shapes, width: int) -> tuple[Layer, ...]:
    """The layers of one network from its shapes, in order.

    Raises:
        WeightsError: they do not lead from `width` to `width` channels.
    """
    found: list[Layer] = []
    numbers = {int(match[1]) for name in shapes if (match := _LAYER.fullmatch(name))}
    now = width
    for number in sorted(numbers):
        shape = shapes.get(f"linear.{number}.weight", ())
        if len(shape) == 1 and shape[0] == now and found:
            found.append(Layer(number, now, is_norm=True))
        elif len(shape) == 2 and shape[1] == now and shape[0]:
            now = shape[0]
            found.append(Layer(number, now, is_norm=False))
        else:
            raise WeightsError(
                f"linear.{number}.weight has the shape {list(shape)} where {now} channels come in"
            )
    if not found or now != width:
        end = f"end with {now}" if found else "have no layer"
        raise WeightsError(f"the layers for {width} channels {end}")
    return tuple(found)


class Perceptron(nn.Module):
    """The layers of one network, in the order of their numbers."""

    def __init__(
        self, width: int, layers: tuple[Layer, ...], activation: nn.Module, *, last: bool
    ) -> None:
        super().__init__()
        self.linear = nn.ModuleDict()
        self._activation = activation
        projections = [layer.number for layer in layers if not layer.is_norm]
        self._activated = frozenset(projections if last else projections[:-1])
        for layer in layers:
            made = nn.LayerNorm(layer.size) if layer.is_norm else Linear(width, layer.size)
            self.linear[str(layer.number)] = made
            width = layer.size

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, width] -> [B, N, width]."""
        for number, layer in self.linear.items():
            tokens = layer(tokens)
            if int(number) in self._activated:
                tokens = self._activation(tokens)
        return tokens


class Hypernetwork(nn.Module):
    """The networks by width: `networks.320.0` for keys, `networks.320.1` for values."""

    def __init__(self, config: HypernetworkConfig) -> None:
        super().__init__()
        activation = ACTIVATIONS[config.activation]
        self.networks = nn.ModuleDict(
            {
                str(width): nn.ModuleList(
                    Perceptron(width, layers, activation().eval(), last=config.activate_output)
                    for layers in pair
                )
                for width, pair in config.layers.items()
            }
        )

    def patch(self, strength: float, dtype: torch.dtype) -> Hook:
        """A patch of attention (`attn1_patch`, `attn2_patch`) of that strength.

        `dtype` is the one that its weights have when it is called.
        """

        def changed(network: nn.Module, tokens: Tensor) -> Tensor:
            return tokens + network(tokens.to(dtype)).to(tokens.dtype) * strength

        def patch(
            query: Tensor, key: Tensor, value: Tensor, options: Mapping[str, object]
        ) -> tuple[Tensor, Tensor, Tensor]:
            del options
            width = str(key.shape[-1])
            if width not in self.networks:
                return query, key, value
            of_key, of_value = self.networks[width].children()
            return query, changed(of_key, key), changed(of_value, value)

        return patch
